/** An app whose handlers throw where nothing catches it; POST /hold is answered after the next of these errors. */
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { currentRequest } from 'takespace/workers'

const errors = new EventEmitter().setMaxListeners(0)
const error = (of) => {
  errors.emit('thrown')
  return new Error(`nothing catches this: ${of}`)
}
const thrower = (of) => () => {
  throw error(of)
}

/** Outside of every request: /elsewhere has it throw. */
let elsewhere = false
setInterval(() => {
  if (!elsewhere) return
  elsewhere = false
  thrower('elsewhere')()
}, 20)

/** Says that the handler runs, and waits for POST /go: then many errors are thrown at once. */
const go = async (kind) => {
  console.log(`waiting ${kind}`)
  await once(errors, 'go')
}

const routes = {
  '/go': (_req, res) => {
    errors.emit('go')
    res.end()
  },
  '/timer': () => setTimeout(thrower('timer'), 10),
  '/immediate': () => go('immediate').then(() => setImmediate(thrower('immediate'))),
  '/tick': () => go('tick').then(() => process.nextTick(thrower('tick'))),
  '/rejection': (_req, res) => {
    void Promise.reject(error('rejection'))
    setTimeout(() => res.end('too late'), 100)
  },
  '/forgotten': async (_req, res) => {
    await go('forgotten')
    void Promise.reject(error('forgotten'))
    setTimeout(() => res.end('too late'), 100)
  },
  '/event': async () => {
    const emitter = new EventEmitter()
    await go('event')
    setTimeout(() => emitter.emit('error', error('event')), 10)
  },
  '/body': (req) => void go('body').then(() => req.on('data', thrower('body'))),
  '/streamed': async (_req, res) => {
    res.write('begun')
    await go('streamed')
    setTimeout(thrower('streamed'), 10)
  },
  '/after': (_req, res) => {
    res.end(String(process.pid))
    setTimeout(thrower('after'), 100)
  },
  '/elsewhere': (_req, res) => {
    elsewhere = true
    setTimeout(() => res.end(String(process.pid)), 200)
  },
  // Never ends if it meets the error of /elsewhere, at its first delivery.
  '/endless': async (_req, res) => {
    console.log(`endless ${currentRequest().attempt}`)
    if (currentRequest().attempt > 1) res.end(String(process.pid))
  },
  '/listener': (_req, res) => {
    currentRequest().signal.addEventListener('abort', thrower('listener'))
    res.on('close', thrower('close'))
    console.log('listening')
  },
  '/hold': async (_req, res) => {
    console.log('holding')
    await once(errors, 'thrown')
    setTimeout(() => res.end(String(process.pid)), 500)
  },
}

const server = createServer((req, res) => {
  const route = routes[req.url]
  return route ? route(req, res) : res.end(String(process.pid))
})
server.on('upgrade', (_req, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  void go('upgrade').then(() => socket.on('data', thrower('upgrade')))
})
export default server

export const tasks = {
  crash: async () => {
    setTimeout(thrower('task'), 10)
    await new Promise(() => {})
  },
}

if (process.env.APP_DECIDES) process.on('uncaughtException', ({ message }) => console.log(`the app heard: ${message}`))
