/** The same requests against the same app, served by a real http server and by a worker's handler, compared. */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { HttpResponse } from '../../src/request.js'
import { handlerOf } from '../../workers/apps/index.js'
import { sealed } from '../../workers/response.js'
import { expressApp, fetchApp, plainApp } from './apps.js'
import { contextOf } from './turns.js'

interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: readonly string[]
  readonly body?: string | Buffer
}

const binary = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255))
const json = ['Content-Type', 'application/json']
const form = ['Content-Type', 'application/x-www-form-urlencoded']

const EXPRESS: Ask[] = [
  { path: '/' },
  { path: '/', method: 'HEAD' },
  { path: '/', method: 'OPTIONS' },
  { path: '/nowhere' },
  { path: '/echo?a=1&a=2&b[c]=d%20e' },
  { path: '/echo', method: 'DELETE' },
  { path: '/echo', method: 'PATCH', body: 'x' },
  {
    path: '/echo',
    headers: ['X-Twice', '1', 'x-twice', '2', 'Cookie', 'a=1', 'Cookie', 'b=2', 'Referer', 'a', 'Referer', 'b'],
  },
  {
    path: '/echo',
    headers: ['X-Forwarded-For', '10.1.2.3', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'shop.example'],
  },
  { path: '/%00/..%2f/%ff' },
  { path: '//double//slash' },
  { path: '/json', method: 'POST', headers: json, body: '{"a":[1,"ü"]}' },
  { path: '/json', method: 'POST', headers: json, body: '{"a":' },
  { path: '/json', method: 'POST', headers: json },
  { path: '/json', method: 'POST', headers: ['Content-Type', 'text/plain'], body: 'no' },
  { path: '/json', method: 'POST', headers: json, body: JSON.stringify('x'.repeat(200_000)) },
  { path: '/form', method: 'POST', headers: form, body: 'a=1&b[]=2&b[]=3&c=%C3%BC+' },
  { path: '/raw', method: 'POST', body: binary },
  { path: '/raw', method: 'POST', body: Buffer.of(0, 13, 10, 255) },
  { path: '/text', method: 'POST', headers: ['Content-Type', 'text/plain'], body: 'hällo' },
  { path: '/iterate', method: 'POST', body: 'abc' },
  { path: '/iterate', method: 'POST' },
  { path: '/events', method: 'POST', body: 'abc' },
  { path: '/pipe-back', method: 'POST', body: binary },
  { path: '/unread', method: 'POST', body: 'abc' },
  { path: '/pipe' },
  { path: '/pipe', method: 'HEAD' },
  { path: '/file' },
  { path: '/file', method: 'HEAD' },
  { path: '/file', headers: ['Range', 'bytes=3-9'] },
  { path: '/file', headers: ['Range', 'bytes=99999999-'] },
  { path: '/file', headers: ['If-Modified-Since', 'Fri, 01 Jan 2999 00:00:00 GMT'] },
  { path: '/download' },
  { path: '/redirect' },
  { path: '/redirect', headers: ['Accept', 'text/html'] },
  { path: '/moved' },
  { path: '/cookies' },
  { path: '/empty' },
  { path: '/teapot' },
  { path: '/big' },
  { path: '/etag' },
  { path: '/etag', headers: ['If-None-Match', '"v1"'] },
  { path: '/etag', method: 'HEAD', headers: ['If-None-Match', '"v0"'] },
  { path: '/throws' },
  { path: '/rejects' },
  { path: '/visits' },
]

const PLAIN: Ask[] = [
  ...[
    '/end',
    '/nothing',
    '/write-twice',
    '/encoding',
    '/bytes',
    '/write-head',
    '/write-head-list',
    '/write-head-mixed',
  ],
  ...[
    '/chunked',
    '/trailers',
    '/length',
    '/latin1',
    '/flushed',
    '/continue',
    '/not-modified',
    '/no-content',
    '/connection',
  ],
  ...['/bad-header', '/flags', '/slow-writes', '/reused-memory', '/unknown'],
].flatMap((path) => [{ path }, { path, method: 'HEAD' }])

describe('an Express app answers as it does on a socket', () => compare(expressApp(), expressApp(), EXPRESS))
describe('a (req, res) function answers as it does on a socket', () => compare(plainApp, plainApp, PLAIN))
describe('an http.Server answers as it does on a socket', () => {
  compare(plainApp, createServer(plainApp), [{ path: '/write-twice' }, { path: '/unknown' }])
})
describe('a Koa-shaped app answers as its callback does on a socket', () => {
  compare(plainApp, { callback: () => plainApp, middleware: [] }, [{ path: '/write-twice' }, { path: '/unknown' }])
})

/** One app for each side: an app may remember, and each is asked the same in the same order. */
function compare(direct: (req: never, res: never) => void, dispatched: unknown, asks: Ask[]): void {
  let server: Server
  beforeAll(async () => {
    server = createServer(direct as never)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  const handle = handlerOf(dispatched)
  for (const ask of asks) {
    const { method = 'GET', path, headers = [], body = '' } = ask
    const size = body.length > 0 ? `, ${body.length} bytes` : ''
    test(`${method} ${path} ${headers.join(' ').slice(0, 60)}${size}`, async () => {
      const { port } = server.address() as AddressInfo
      const bytes = Buffer.from(body as string)
      const list = ['Host', `127.0.0.1:${port}`, ...headers]
      if (method === 'POST' || bytes.length > 0) list.push('Content-Length', String(bytes.length))
      const expected = await askServer(port, method, path, list, bytes)
      const request = {
        method,
        target: path,
        httpVersion: '1.1',
        headers: list,
        body: bytes,
        peer: '127.0.0.1',
        secure: false,
      }
      const response = sealed(await handle(request, contextOf()), method)
      expect(comparable(response)).toEqual(comparable(expected))
      expect(response.body.equals(expected.body)).toBe(true)
    })
  }
}

function askServer(port: number, method: string, path: string, headers: string[], body: Buffer): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const options = { port, method, path, headers: [...headers, 'Connection', 'close'] as never, agent: false }
    const req = httpRequest(options, async (res: IncomingMessage) => {
      const chunks: Buffer[] = []
      for await (const chunk of res) chunks.push(chunk)
      resolve({
        status: res.statusCode ?? 0,
        reason: res.statusMessage ?? '',
        headers: res.rawHeaders,
        body: Buffer.concat(chunks),
      })
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** The connection's own fields and the framing are the server's or the gateway's; all else must be the same, in the same order. */
const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'date'])

function comparable({ status, reason, headers, body }: HttpResponse): object {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase()
    // A body that is there tells its length by itself.
    if (OF_THE_CONNECTION.has(name) || (name === 'content-length' && headers[i + 1] === String(body.length))) continue
    kept.push(headers[i] as string, headers[i + 1] as string)
  }
  const text = body.length < 2_000 ? body.toString() : `${body.length} bytes`
  return { status, reason, headers: kept, text }
}

describe('a { fetch } app answers as it does to a Request', () => {
  const handle = handlerOf(fetchApp)
  const body = Buffer.of(0, 1, 254, 255)
  const asks: Ask[] = [
    { path: '/echo?q=1', headers: ['User-Agent', 'test', 'Cookie', 'a=1', 'Cookie', 'b=2'] },
    { path: '/body', method: 'POST', body },
    { path: '/body', method: 'PUT' },
    { path: '/body', method: 'DELETE', body },
    { path: '/cookies' },
    { path: '/stream' },
    { path: '/none' },
    { path: '//nowhere' },
  ]
  for (const { path, method = 'GET', headers = [], body = Buffer.alloc(0) } of asks) {
    test(`${method} ${path}`, async () => {
      const fields = new Headers()
      const list = ['Host', 'example.org', ...headers]
      for (let i = 0; i < list.length; i += 2) fields.append(list[i] as string, list[i + 1] as string)
      const init = { method, headers: fields, ...(body.length > 0 ? { body } : {}) }
      const expected = await fetchApp.fetch(new Request(`https://example.org${path}`, init))
      const request = {
        method,
        target: path,
        httpVersion: '1.1',
        headers: list,
        body: body as Buffer,
        peer: '::1',
        secure: true,
      }
      const response = await handle(request, contextOf())
      expect([response.status, response.reason]).toEqual([expected.status, expected.statusText])
      expect(response.headers).toEqual([...expected.headers].flat())
      expect(response.body).toEqual(Buffer.from(await expected.arrayBuffer()))
    })
  }
})
