/** Responses that nobody reads: only progress of writing keeps a connection, and a client that reads slowly makes progress. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { endUnlessRead } from '../../gateway/unread.js'
import { failOnLeaks } from '../support/leaks.js'

const LIMIT_MS = 1_500
const PIPELINED = 300
const BODY = Buffer.alloc(60_000, 'x')

let server: Server | undefined
const clients: Socket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
  server?.closeAllConnections()
  server?.close()
})
failOnLeaks()

async function listening(onRequest: RequestListener): Promise<number> {
  server = createServer(onRequest)
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const answer: RequestListener = (_req, res) => {
  res.end(BODY)
  endUnlessRead(res.req.socket, LIMIT_MS, res)
}

function client(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  clients.push(socket)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(PIPELINED))
  return socket
}

/** The server's end of the next connection, once it is closed. */
const nextClosed = (): Promise<void> =>
  new Promise((resolve) => server!.once('connection', (socket) => socket.once('close', () => resolve())))

test('a client that reads nothing is given up, also if it goes on sending', async () => {
  const port = await listening(answer)
  const silent = nextClosed()
  client(port).pause()
  await silent
  const sending = nextClosed()
  const socket = client(port).pause()
  const timer = setInterval(() => socket.write('\r\n', () => {}), 50)
  await sending
  clearInterval(timer)
})

test('a client that reads slowly has the whole of it, however long that takes', async () => {
  const port = await listening(answer)
  let closed = false
  void nextClosed().then(() => {
    closed = true
  })
  const socket = client(port).pause()
  let bytes = 0
  const since = performance.now()
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      bytes += (socket.read() as Buffer | null)?.length ?? 0
      if (closed || bytes >= PIPELINED * BODY.length) {
        clearInterval(timer)
        resolve()
      }
    }, 10)
  })
  expect(closed).toBe(false)
  expect(performance.now() - since).toBeGreaterThan(LIMIT_MS)
})
