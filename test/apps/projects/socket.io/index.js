/** A chat of socket.io with the Redis adapter, as the documentation of the adapter has it. */
const { createServer } = require('node:http')
const { createAdapter } = require('@socket.io/redis-adapter')
const { createClient } = require('redis')
const { Server } = require('socket.io')

async function main() {
  const pubClient = createClient({ url: process.env.REDIS_URL })
  const subClient = pubClient.duplicate()
  await Promise.all([pubClient.connect(), subClient.connect()])

  const httpServer = createServer((req, res) => {
    res.end('chat')
  })
  const io = new Server(httpServer, { adapter: createAdapter(pubClient, subClient), transports: ['websocket'] })

  io.on('connection', (socket) => {
    socket.join('room')
    socket.on('say', (text, done) => {
      io.to('room').emit('said', text)
      done(`heard ${text}`)
    })
    socket.on('upload', (bytes, done) => done(bytes.length))
    socket.on('where', (done) => done(process.pid))
  })

  httpServer.listen(process.env.PORT || 3000)
}

main()
