/** WebSockets through the space: frames both ways in order, what is refused, and how each end sees the end. */
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import { createAdaptorServer, upgradeWebSocket } from '@hono/node-server'
import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { WebSocket, WebSocketServer } from 'ws'
import { createGateway, type Gateway } from '../../gateway/index.js'
import { FrameCounter } from '../../gateway/websocket.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { type App, createWorker, type Worker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'

let space: Space
let gateway: Gateway
let worker: Worker
afterEach(() => space.close())

async function serving(app: App): Promise<void> {
  space = await openSpace('memory:')
  gateway = createGateway({ space, port: 0 })
  await gateway.start()
  worker = createWorker({ space, app })
  await worker.start()
}

const url = (path = '/ws'): string => gateway.url.replace('http', 'ws') + path

const opened = (socket: WebSocket): Promise<void> =>
  new Promise((resolve, reject) => void socket.on('open', resolve).on('error', reject))
const closed = (socket: WebSocket): Promise<number> => new Promise((resolve) => socket.on('close', resolve))

/** The apps that people have, each of which sends back what it is sent. */
const APPS: Record<string, () => App | Promise<App>> = {
  'Express and ws': () => {
    const server = createServer(express().get('/', (_req, res) => void res.send('plain')))
    const sockets = new WebSocketServer({ server, path: '/ws' })
    sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })))
    return server
  },
  'Fastify and @fastify/websocket': async () => {
    const app = Fastify()
    await app.register(fastifyWebsocket as never)
    app.get('/', () => 'plain')
    const echo = (socket: WebSocket): void =>
      void socket.on('message', (data: Buffer, binary: boolean) => socket.send(data, { binary }))
    app.get('/ws', { websocket: true } as never, echo as never)
    return app as unknown as App
  },
  'Hono and its adapter': () => {
    const app = new Hono()
    app.get('/', (c) => c.text('plain'))
    app.get(
      '/ws',
      upgradeWebSocket(() => ({ onMessage: (event, socket) => socket.send(event.data as string) })),
    )
    return createAdaptorServer({
      fetch: app.fetch,
      websocket: { server: new WebSocketServer({ noServer: true }) },
    } as never) as Server
  },
}

describe.each(Object.entries(APPS))('%s', (_name, app) => {
  test('frames come back in order and whole, small ones and large ones', async () => {
    await serving(await app())
    const sockets = Array.from({ length: 8 }, () => new WebSocket(url()))
    await Promise.all(sockets.map(opened))
    const got = sockets.map((socket) => {
      const list: string[] = []
      socket.on('message', (data) => list.push(String(data)))
      return list
    })
    const sent = (i: number): string[] => [
      ...Array.from({ length: 50 }, (_, n) => `${i}:${n}`),
      'x'.repeat(200_000 + i),
      'end',
    ]
    for (const [i, socket] of sockets.entries()) for (const text of sent(i)) socket.send(text)
    await until(() => got.every((list) => list.length === 52), 'all have come back')
    for (const [i, list] of got.entries()) expect(list).toEqual(sent(i))
    const ends = sockets.map(closed)
    for (const socket of sockets) socket.close(1000)
    expect(await Promise.all(ends)).toEqual(sockets.map(() => 1000))
    await until(() => space.streams.size === 0, 'no stream is left')
  })

  test('its other requests are answered, also one that wants a protocol that is not served', async () => {
    await serving(await app())
    const response = await fetch(gateway.url)
    expect(await response.text()).toBe('plain')
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
      let got = ''
      socket.on('data', (bytes) => {
        got += bytes
        if (got.includes('plain')) socket.destroy()
      })
      socket.on('close', () => resolve(got)).on('error', reject)
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n')
    })
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  test('a path where it serves no WebSocket is refused with a status, not with silence', async () => {
    await serving(await app())
    const socket = new WebSocket(url('/nowhere'))
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_req, res) => resolve(res.statusCode)).on('error', () => {})
    })
    expect(status).toBeGreaterThanOrEqual(400)
    await until(() => space.streams.size === 0, 'no stream is left')
  })
})

test('a worker that stops closes its connections with 1012: come again', async () => {
  await serving(await APPS['Express and ws']!())
  const socket = new WebSocket(url())
  await opened(socket)
  const end = closed(socket)
  await worker.stop()
  expect(await end).toBe(1012)
})

test('so does a gateway that stops', async () => {
  await serving(await APPS['Express and ws']!())
  const socket = new WebSocket(url())
  await opened(socket)
  const end = closed(socket)
  await gateway.stop()
  expect(await end).toBe(1012)
})

test('a client that goes without a word is seen to go by the app', async () => {
  const server = createServer()
  const codes: number[] = []
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('close', (code) => codes.push(code)))
  await serving(server)
  const socket = new WebSocket(url())
  await opened(socket)
  socket.on('error', () => {})
  socket.terminate()
  await until(() => codes.length === 1, 'the app sees it')
  expect(codes).toEqual([1006])
})

test('an app that serves no WebSockets answers as to any request', async () => {
  await serving((_req: unknown, res: { end(text: string): void }) => res.end('no sockets here'))
  const socket = new WebSocket(url())
  const status = await new Promise((resolve) => {
    socket.on('unexpected-response', (_req, res) => resolve(res.statusCode)).on('error', () => {})
  })
  expect(status).toBe(200)
})

test('what is no valid wish for a WebSocket never becomes 101', async () => {
  await serving(await APPS['Express and ws']!())
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  const version = 'Sec-WebSocket-Version: 13\r\n'
  const wish = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
  const cases: Record<string, [string, RegExp]> = {
    'another version': [`GET /ws HTTP/1.1\r\nHost: a\r\n${wish}${key}Sec-WebSocket-Version: 7\r\n\r\n`, / 400 /],
    'no key': [`GET /ws HTTP/1.1\r\nHost: a\r\n${wish}${version}\r\n`, / 400 /],
    POST: [`POST /ws HTTP/1.1\r\nHost: a\r\n${wish}${key}${version}Content-Length: 0\r\n\r\n`, / 405 /],
    'HTTP/1.0': [`GET /ws HTTP/1.0\r\nHost: a\r\n${wish}${key}${version}\r\n`, / 426 /],
    'no Connection: Upgrade': [
      `GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n${key}${version}Connection: close\r\n\r\n`,
      / (?:426|4\d\d|200) /,
    ],
    'two Hosts': [`GET /ws HTTP/1.1\r\nHost: a\r\nHost: b\r\n${wish}${key}${version}\r\n`, / 400 /],
  }
  for (const [name, [text, status]] of Object.entries(cases)) {
    const got = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () => socket.write(text))
      let all = ''
      socket.on('data', (bytes) => {
        all += bytes
        if (all.includes('\r\n\r\n')) socket.end()
      })
      socket.on('close', () => resolve(all)).on('error', () => {})
    })
    expect([name, got.split('\r\n')[0]]).toEqual([name, expect.stringMatching(status)])
    if (/ 426 /.test(got)) expect(got).toMatch(/sec-websocket-version: 13, 8\r\nupgrade: websocket/i)
  }
})

test('where a frame ends is known, however its bytes are cut', () => {
  const frames = [
    Buffer.of(0x81, 0x02, 1, 2),
    Buffer.concat([Buffer.of(0x82, 126, 0x01, 0x00), Buffer.alloc(256)]),
    Buffer.concat([Buffer.of(0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70), Buffer.alloc(70_000)]),
    Buffer.of(0x81, 0x80, 1, 2, 3, 4),
    Buffer.of(0x89, 0x00),
  ]
  const bytes = Buffer.concat(frames)
  const ends = new Set(frames.map((_, i) => frames.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0)))
  for (const step of [1, 3, 7, 1_000, bytes.length]) {
    const counter = new FrameCounter()
    const wrong: number[] = []
    for (let at = 0; at < bytes.length; at += step) {
      counter.count(bytes.subarray(at, at + step))
      if (counter.isBetween !== ends.has(Math.min(at + step, bytes.length))) wrong.push(at)
    }
    expect(wrong).toEqual([])
    expect(counter.isClosed).toBe(false)
    counter.count(Buffer.of(0x88, 0x02, 0x03, 0xe8))
    expect([counter.isBetween, counter.isClosed]).toEqual([true, true])
  }
})

failOnLeaks()
