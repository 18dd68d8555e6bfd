/** WebSockets over HTTP/2 (RFC 8441): an app's ordinary WebSocket server is reached by extended CONNECT. */
import { createServer } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import { describe, expect, test } from '@jest/globals'
import { WebSocketServer } from 'ws'
import { createWorker, type Worker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { fronts } from './fronts.js'
import { type Served, serving, signal } from './serving.js'

const FRONTS = fronts()

interface Front extends AsyncDisposable {
  readonly s: Served
  readonly session: ClientHttp2Session
  readonly worker: Worker
  /** Resolves with the close code that the app has seen. */
  readonly closed: Promise<number>
}

/** More than the windows of a client and all buffers on the way. */
const LARGE = 2_000_000

/** An app that echoes messages, refuses /refused, and /large with a large body. */
async function open(how: string): Promise<Front> {
  const s = await serving(null, FRONTS[how])
  const closed = signal<number>()
  const sockets = new WebSocketServer({ noServer: true })
  const app = createServer((_req, res) => res.end('plain'))
  app.on('upgrade', (req, socket, head) => {
    if (req.url === '/refused') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: no\r\n\r\nno')
      return
    }
    if (req.url === '/large') {
      socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${LARGE}\r\n\r\n${'x'.repeat(LARGE)}`)
      return
    }
    sockets.handleUpgrade(req, socket, head, (ws) => {
      ws.send(`hello ${req.headers['sec-websocket-protocol']} ${req.httpVersion} ${req.headers.host}`)
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }))
      ws.on('close', (code) => closed.resolve(code))
    })
  })
  const worker = createWorker({ space: s.space, app, stopTimeoutMs: 500 })
  await worker.start()
  const session = connect(s.gateway.url, { rejectUnauthorized: false })
  session.on('error', () => {})
  const settings = await new Promise<{ enableConnectProtocol?: boolean }>((got) => session.once('remoteSettings', got))
  expect(settings.enableConnectProtocol).toBe(true)
  return {
    s,
    session,
    worker,
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      session.destroy()
      await s[Symbol.asyncDispose]()
    },
  }
}

const handshake = (session: ClientHttp2Session, path: string, more: object = {}): ClientHttp2Stream => {
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': path,
      ':authority': 'host.example',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'chat',
      ...more,
    },
    { endStream: false },
  )
  stream.on('error', () => {})
  return stream
}

const headersOf = (stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> =>
  new Promise((resolve, reject) => stream.once('response', resolve).once('close', () => reject(new Error('closed'))))

/** A frame of a client, masked with zeros. */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), payload])
}

/** Reads the frames of a server. */
function framesOf(stream: ClientHttp2Stream): { next(): Promise<{ opcode: number; payload: Buffer }> } {
  let bytes: Buffer = Buffer.alloc(0)
  let wake = (): void => {}
  let ended = false
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    wake()
  })
  stream.on('close', () => {
    ended = true
    wake()
  })
  return {
    async next() {
      for (;;) {
        const short = bytes.length > 1 ? bytes[1]! & 0x7f : 0
        const at = short === 126 ? 4 : 2
        const length = short === 126 && bytes.length >= 4 ? bytes.readUInt16BE(2) : short
        if (bytes.length >= at && bytes.length >= at + length) {
          const [opcode, payload] = [bytes[0]! & 0xf, bytes.subarray(at, at + length)]
          bytes = bytes.subarray(at + length)
          return { opcode, payload }
        }
        if (ended) throw new Error('the stream has ended')
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

const [TEXT, BINARY, CLOSE] = [1, 2, 8]

/** Longer than two looks for bytes that are neither requests nor bodies, and more than those may be. */
const MANY = { ms: 2_300, bytes: 4 << 20 }

describe.each(Object.keys(FRONTS))('over %s', (how) => {
  test('any number of messages passes', async () => {
    await using front = await open(how)
    const stream = handshake(front.session, '/chat')
    const frames = framesOf(stream)
    await frames.next()
    const message = Buffer.alloc(60_000, 'm')
    const begun = performance.now()
    for (let sent = 0; sent < MANY.bytes || performance.now() - begun < MANY.ms; sent += message.length) {
      stream.write(frame(BINARY, message))
      expect((await frames.next()).payload.length).toBe(message.length)
    }
  })

  test('messages pass in both directions, and the close', async () => {
    await using front = await open(how)
    const stream = handshake(front.session, '/chat')
    const frames = framesOf(stream)
    const headers = await headersOf(stream)
    expect(headers).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat' })
    expect(headers).not.toHaveProperty('sec-websocket-accept')
    expect((await frames.next()).payload.toString()).toBe('hello chat 1.1 host.example')
    stream.write(frame(TEXT, Buffer.from('one')))
    expect((await frames.next()).payload.toString()).toBe('one')
    const large = Buffer.alloc(60_000, 'x')
    stream.write(frame(BINARY, large))
    expect((await frames.next()).payload.equals(large)).toBe(true)
    stream.write(frame(CLOSE, Buffer.from([0x0f, 0xa1])))
    expect((await frames.next()).payload.readUInt16BE(0)).toBe(4001)
    expect(await front.closed).toBe(4001)
  })
})

test('several of them, and requests, share a connection', async () => {
  await using front = await open('TLS')
  const all = Array.from({ length: 10 }, () => handshake(front.session, '/chat'))
  const frames = all.map(framesOf)
  for (const each of frames) expect((await each.next()).payload.toString()).toMatch(/^hello/)
  for (const [i, stream] of all.entries()) stream.write(frame(TEXT, Buffer.from(`n${i}`)))
  for (const [i, each] of frames.entries()) expect((await each.next()).payload.toString()).toBe(`n${i}`)
  const plain = front.session.request({ ':path': '/' })
  plain.resume()
  expect(await headersOf(plain)).toMatchObject({ ':status': 200 })
})

test('a refusal of the app reaches the client', async () => {
  await using front = await open('TLS')
  const stream = handshake(front.session, '/refused')
  expect(await headersOf(stream)).toMatchObject({ ':status': 403, 'x-why': 'no' })
})

test('a refusal arrives whole, and ends in good order, however late its client reads it', async () => {
  await using front = await open('TLS')
  for (const [path, bytes] of [
    ['/refused', 2],
    ['/large', LARGE],
  ] as const) {
    const stream = handshake(front.session, path)
    await headersOf(stream)
    // Longer than a connection of HTTP/1.1 lingers behind its last answer.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    let received = 0
    for await (const chunk of stream) received += (chunk as Buffer).length
    expect([path, received]).toEqual([path, bytes])
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
  }
})

test.each([
  ['another version', { 'sec-websocket-version': '1' }, 400],
  ['another protocol', { ':protocol': 'other' }, 501],
])('a handshake that is not served is refused: %s', async (_what, more, status) => {
  await using front = await open('TLS')
  const stream = handshake(front.session, '/chat', more)
  stream.resume()
  expect((await headersOf(stream))[':status']).toBe(status)
})

test('a client that cancels its stream is noticed by the app', async () => {
  await using front = await open('TLS')
  const stream = handshake(front.session, '/chat')
  await framesOf(stream).next()
  stream.close(constants.NGHTTP2_CANCEL)
  expect(await front.closed).toBe(1006)
})

test('a stop of the worker or of the gateway closes it with code 1012', async () => {
  for (const whom of ['worker', 'gateway'] as const) {
    await using front = await open('TLS')
    const stream = handshake(front.session, '/chat')
    const frames = framesOf(stream)
    await frames.next()
    const stopped = whom === 'worker' ? front.worker.stop() : front.s.gateway.stop()
    expect((await frames.next()).payload.readUInt16BE(0)).toBe(1012)
    stream.end()
    await stopped
  }
})

failOnLeaks()
