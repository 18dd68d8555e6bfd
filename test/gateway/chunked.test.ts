/** An app that asks for a body in chunks gets one, as from Node.js; the framing of other bodies is that of the gateway. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { exchangeBytes, serving, statusOf } from './serving.js'

/** The ways in which an app can ask for chunks. */
const ASKING: Record<string, (res: ServerResponse) => unknown> = {
  'by setHeader': (res) => res.setHeader('Transfer-Encoding', 'chunked').end('body'),
  'by setHeader, without a body': (res) => res.setHeader('Transfer-Encoding', 'chunked').end(),
  'by setHeader, in two writes': (res) => {
    res.setHeader('transfer-encoding', 'Chunked').write('bo')
    res.end('dy')
  },
  'by writeHead with an object': (res) => res.writeHead(200, { 'Transfer-Encoding': 'chunked' }).end('body'),
  'by writeHead with a list': (res) => res.writeHead(200, ['X-A', 'b', 'Transfer-Encoding', 'chunked']).end('body'),
  'as the last line of the head': (res) =>
    res
      .writeHead(200, { Date: 'Thu, 01 Jan 1970 00:00:00 GMT', Connection: 'close', 'Transfer-Encoding': 'chunked' })
      .end('body'),
  'with an announced trailer': (res) => {
    res.writeHead(200, { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' }).write('body')
    res.addTrailers({ 'X-Sum': '4' })
    res.end()
  },
  'for a body larger than is kept': (res) => res.setHeader('Transfer-Encoding', 'chunked').end('body'.repeat(50_000)),
  'for a body that takes its time': (res) => {
    res.setHeader('Transfer-Encoding', 'chunked').flushHeaders()
    setTimeout(() => res.end('body'), 30)
  },
}

/** The ways in which it does not. */
const NOT_ASKING: Record<string, (res: ServerResponse) => unknown> = {
  'in one write': (res) => res.end('body'),
  'in two writes': (res) => {
    res.write('bo')
    res.end('dy')
  },
  'in two writes, with fields of its own': (res) => {
    res.writeHead(200, ['Set-Cookie', 'transfer-encoding', 'X-A', 'Transfer-Encoding']).write('bo')
    res.end('dy')
  },
}

const ways = { ...ASKING, ...NOT_ASKING }
const app = (req: { url?: string }, res: ServerResponse): unknown => ways[decodeURIComponent(req.url!.slice(1))]!(res)
const bytesOf = (way: string, method: string, version: string): string =>
  `${method} /${encodeURIComponent(way)} HTTP/${version}\r\nHost: a\r\nConnection: close\r\n\r\n`
const headOf = (text: string): string => text.slice(0, text.indexOf('\r\n\r\n') + 2)
const framingOf = (text: string): string[] =>
  headOf(text)
    .split('\r\n')
    .filter((line) => /^(transfer-encoding|content-length): /i.test(line))

const direct = createServer(app)
let directPort: number
let port: number
let space: Space
beforeAll(async () => {
  await new Promise<void>((resolve) => direct.listen(0, '127.0.0.1', resolve))
  directPort = (direct.address() as AddressInfo).port
  space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  port = Number(new URL(gateway.url).port)
  await createWorker({ space, app }).start()
})
afterAll(async () => {
  await space.close()
  await new Promise((resolve) => direct.close(resolve))
})

describe.each(Object.keys(ASKING))('an app that asks for chunks %s', (way) => {
  test.each(['GET', 'HEAD'])('answers %s with them, as on a server of its own', async (method) => {
    const [through, own] = await Promise.all(
      [port, directPort].map((each) => exchangeBytes(each, bytesOf(way, method, '1.1'))),
    )
    expect(framingOf(own!)).toEqual([expect.stringMatching(/^transfer-encoding: chunked$/i)])
    expect(framingOf(through!)).toEqual(framingOf(own!))
    if (method === 'HEAD') expect(through!.slice(headOf(through!).length)).toBe('\r\n')
    else expect(through!.endsWith('0\r\n\r\n') || through!.endsWith('0\r\nX-Sum: 4\r\n\r\n')).toBe(true)
  })

  test('answers HTTP/1.0, which has none, without', async () => {
    const text = await exchangeBytes(port, bytesOf(way, 'GET', '1.0'))
    expect(statusOf(text)).toBe(200)
    expect(framingOf(text)).not.toContainEqual(expect.stringMatching(/^transfer-encoding/i))
    expect(text.slice(headOf(text).length + 2)).toMatch(/^(body)*$/)
  })
})

test.each(Object.keys(NOT_ASKING))('a body that an app writes %s is sent with its length', async (way) => {
  const text = await exchangeBytes(port, bytesOf(way, 'GET', '1.1'))
  expect(framingOf(text)).toEqual(['Content-Length: 4'])
})

describe('a worker that asks for chunks', () => {
  const CHUNKED = ['Transfer-Encoding', 'chunked']

  test.each([204, 304])('gets none for a response of status %i, which has no body', async (status) => {
    await using s = await serving(() => ({ status, headers: CHUNKED }))
    const text = await exchangeBytes(s.port, bytesOf('', 'GET', '1.1'))
    expect([statusOf(text), framingOf(text)]).toEqual([status, []])
  })

  test('gets one line for two, and no length beside it (RFC 9112 §6.2)', async () => {
    const headers = [...CHUNKED, 'Content-Length', '4', ...CHUNKED]
    await using s = await serving(() => ({ headers, body: Buffer.from('body') }))
    const text = await exchangeBytes(s.port, bytesOf('', 'GET', '1.1'))
    expect(framingOf(text)).toEqual(['Transfer-Encoding: chunked'])
    expect(text.endsWith('\r\n\r\n4\r\nbody\r\n0\r\n\r\n')).toBe(true)
  })

  test.each([['gzip'], ['gzip, chunked'], ['chunked, gzip'], ['chunked;q=1']])(
    'gets 502 for another coding: %s',
    async (coding) => {
      await using s = await serving(() => ({ headers: ['Transfer-Encoding', coding], body: Buffer.from('body') }))
      expect(statusOf(await exchangeBytes(s.port, bytesOf('', 'GET', '1.1')))).toBe(502)
    },
  )
})

failOnLeaks()
