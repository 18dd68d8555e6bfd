/** Several requests on one connection: answers in order, also before a refusal, and nothing behind a refusal runs. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { ask, exchangeBytes, type Served, serving, signal, wire } from './serving.js'

const get = (target = '/', head = 'Host: a\r\n'): string => `GET ${target} HTTP/1.1\r\n${head}\r\n`
const post = (head: string, body: string, version = '1.1'): string =>
  `POST / HTTP/${version}\r\nHost: a\r\n${head}\r\n${body}`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const LINES = Array.from({ length: 100 }, (_, i) => `X-${i}: 1\r\n`).join('')
const BEHIND = `POST /behind HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`
const UPGRADE =
  'GET /behind HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

const statusesIn = (text: string): number[] => Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, s]) => Number(s))

/** The targets that workers were given, once one more request has passed through all that there is. */
async function ranOn(s: Served): Promise<string[]> {
  await ask(s.port, { path: '/last' })
  return s.seen.map(({ target }) => target)
}

const REFUSED: Record<string, [status: number, bytes: string]> = {
  'a coding beneath chunked': [501, post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')],
  'two Transfer-Encodings': [400, post(`Transfer-Encoding: gzip\r\n${CHUNKED}`, '0\r\n\r\n')],
  'a doubled zero as length': [400, post('Content-Length: 00\r\n', '')],
  'two Hosts': [400, get('/', 'Host: a\r\nHost: b\r\n')],
  'no Host': [400, get('/', '')],
  TRACE: [501, 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'],
  CONNECT: [501, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  'target *': [400, get('*')],
  '101 header lines': [431, get('/', `Host: a\r\n${LINES}`)],
  'HTTP/2.0': [505, 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  'a line without a version': [505, 'GET /\n\r\n'],
  'an unknown expectation': [417, post('Expect: miracles\r\nContent-Length: 1\r\n', 'x')],
  'chunks in HTTP/1.0': [400, post(`Connection: keep-alive\r\n${CHUNKED}`, '0\r\n\r\n', '1.0')],
  'a body that is too large': [413, post('Content-Length: 200\r\n', 'x'.repeat(200))],
  'a chunked body that is too large': [413, post(CHUNKED, `c8\r\n${'x'.repeat(200)}\r\n0\r\n\r\n`)],
  'an invalid WebSocket handshake': [400, UPGRADE.replace('dGhlIHNhbXBsZSBub25jZQ==', 'short')],
}

describe('behind a refusal that closes', () => {
  test.each(Object.entries(REFUSED))('nothing runs: %s', async (_what, [status, bytes]) => {
    await using s = await serving(() => ({}), { limits: { bodyBytes: 100 } })
    for (const behind of [BEHIND, get('/behind').repeat(3), UPGRADE]) {
      expect(statusesIn(await exchangeBytes(s.port, bytes + behind))).toEqual([status])
    }
    expect(new Set(await ranOn(s))).toEqual(new Set(['/last']))
  })

  test('nothing runs that is sent later, and the refusal is not lost to it', async () => {
    await using s = await serving(() => ({}))
    const line = await wire(s.port)
    line.send(get('/', ''))
    await line.receive((text) => text.includes('HOST_INVALID'))
    line.send(BEHIND)
    expect(statusesIn(await line.receive())).toEqual([400])
    expect(await ranOn(s)).toEqual(['/last'])
  })

  test('nothing runs in a server of its own that the handler is mounted in', async () => {
    await using s = await serving(() => ({}))
    const server = createServer(s.gateway.handler).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    expect(statusesIn(await exchangeBytes(port, get('/', 'Host: a\r\nHost: b\r\n') + BEHIND))).toEqual([400])
    expect(await ranOn(s)).toEqual(['/last'])
    await new Promise((resolve) => server.close(resolve))
  })
})

const MALFORMED: Record<string, [status: number, bytes: string]> = {
  'what is not HTTP': [501, 'rubbish\r\n\r\n'],
  'a bare LF': [400, 'GET /behind HTTP/1.1\r\nHost: a\n\n'],
  'a line without a colon': [400, 'GET /behind HTTP/1.1\r\nHost: a\r\nX\r\n\r\n'],
  'a malformed chunk': [400, post(CHUNKED, 'zz\r\n')],
  'a malformed chunk behind a good one': [400, post(CHUNKED, '1\r\nx\r\nzz\r\n')],
  'a refused head': [400, get('/behind', '')],
  CONNECT: [501, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
}

describe('what follows well-formed requests', () => {
  test.each(Object.entries(MALFORMED))('is refused after their answers: %s', async (_what, [status, bytes]) => {
    const refused = signal()
    await using s = await serving(async () => {
      await refused.promise
      return { body: Buffer.from('done') }
    })
    const first = post('Content-Length: 2\r\n', 'hi')
    const line = await wire(s.port)
    line.send(first + get('/second') + bytes + BEHIND)
    // Once both have been taken, all bytes of this packet have been parsed.
    while (s.seen.length < 2) await new Promise(setImmediate)
    refused.resolve()
    const text = await line.receive()
    expect(statusesIn(text)).toEqual([200, 200, status])
    expect(text.match(/done/g)).toHaveLength(2)
    expect(s.seen.map(({ target }) => target).sort()).toEqual(['/', '/second'])
  })

  test('is dropped behind a request that asks to close, and its answer is not lost', async () => {
    const sent = signal()
    await using s = await serving(async () => {
      await sent.promise
      return {}
    })
    const line = await wire(s.port)
    line.send(post('Connection: close\r\nContent-Length: 2\r\n', 'hi') + BEHIND)
    while (s.seen.length < 1) await new Promise(setImmediate)
    sent.resolve()
    expect(statusesIn(await line.receive())).toEqual([200])
    expect(s.seen).toHaveLength(1)
  })

  test('is answered behind a request that expects 100 Continue and has no body', async () => {
    await using s = await serving(() => ({}))
    const line = await wire(s.port)
    line.send(get('/', 'Host: a\r\nExpect: 100-continue\r\n') + get('/second'))
    const text = await line.receive((heard) => statusesIn(heard).length === 2)
    expect(statusesIn(text)).toEqual([200, 200])
    line.socket.destroy()
  })

  test('waits for their answers, if it asks for another protocol', async () => {
    const sent = signal()
    await using s = await serving(async ({ target, rest }) => {
      rest?.cancel()
      if (target === '/') await sent.promise
      return { body: Buffer.from(target) }
    })
    const line = await wire(s.port)
    line.send(get() + get('/h2c', 'Host: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n') + UPGRADE)
    while (s.seen.length < 1) await new Promise(setImmediate)
    sent.resolve()
    expect(statusesIn(await line.receive())).toEqual([200, 200, 200])
    expect(s.seen.map(({ target }) => target)).toEqual(['/', '/h2c', '/behind'])
  })

  test('keeps its answer when the gateway begins to stop: only the last one closes', async () => {
    const stopping = signal()
    await using s = await serving(async () => {
      await stopping.promise
      return {}
    })
    const line = await wire(s.port)
    line.send(get() + get('/second'))
    while (s.seen.length < 2) await new Promise(setImmediate)
    const stopped = s.gateway.stop()
    stopping.resolve()
    const text = await line.receive()
    expect(statusesIn(text)).toEqual([200, 200])
    expect(text.match(/connection: close/gi)).toHaveLength(1)
    await stopped
  })
})

failOnLeaks()
