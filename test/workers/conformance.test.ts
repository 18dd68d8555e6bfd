/** The same requests against the same app, served by a real http server and by a worker's handler, compared. */
import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { handlerOf } from '../../workers/apps/index.js'
import { sealed } from '../../workers/response.js'
import { fetchApp } from './apps/fetch.js'
import { plainApp } from './apps/plain.js'
import { type Ask, nameOf } from './apps/requests.js'
import { askedOf, askServer, comparable } from './asking.js'
import { contextOf } from './turns.js'

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
    test(nameOf(ask), async () => {
      const { port } = server.address() as AddressInfo
      const request = askedOf(ask, port)
      const expected = await askServer(port, request)
      const turn = contextOf()
      const response = sealed(await turn.gathered(await handle(request, turn)), request.method)
      expect(comparable(response)).toEqual(comparable(expected))
    })
  }
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
      const turn = contextOf()
      const response = await turn.gathered(await handle(request, turn))
      expect([response.status, response.reason]).toEqual([
        expected.status,
        expected.statusText || STATUS_CODES[expected.status],
      ])
      expect(response.headers).toEqual([...expected.headers].flat())
      expect(response.body).toEqual(Buffer.from(await expected.arrayBuffer()))
    })
  }
})
