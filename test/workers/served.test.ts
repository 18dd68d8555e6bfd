/** What people's apps do, each in a worker on a space in memory, asked by client.fetch: it works as it does on a socket. */
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import Fastify from 'fastify'
import { H3 } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import { createClient } from '../../src/client.js'
import { openSpace } from '../../src/open.js'
import { sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { type App, createWorker, currentRequest } from '../../workers/index.js'
import { until } from '../support/until.js'
import { whole } from '../support/whole.js'
import { COMPRESSIBLE } from './apps/contents.js'
import { expressApp } from './apps/express.js'
import { FRAMEWORKS } from './apps/frameworks.js'
import { requestOf } from './turns.js'

let space: Space
beforeAll(async () => {
  space = await openSpace('memory:')
})
afterAll(() => space.close())

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('%s', (service, framework) => {
  const events: string[] = []
  const ask = (path: string, options: RequestInit = {}) => createClient({ space, service }).fetch(path, options)
  const from = (headers: Record<string, string>): RequestInit => ({ headers })
  beforeAll(() => createWorker({ space, service, app: expressApp(framework, events) }).start())

  test('parses bodies', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const json = await ask('/json', { method: 'POST', headers, body: '{"a":1}' })
    expect(await json.json()).toEqual({ got: { a: 1 } })
    const form = await ask('/form', { method: 'POST', body: new URLSearchParams({ a: '1', b: 'ü' }) })
    expect(await form.json()).toEqual({ a: '1', b: 'ü' })
    const tooLarge = await ask('/json', { method: 'POST', headers, body: JSON.stringify('x'.repeat(200_000)) })
    expect(tooLarge.status).toBe(413)
  })

  test('keeps express-session’s session over its cookie', async () => {
    const first = await ask('/visits')
    const cookie = first.headers.getSetCookie()[0]?.split(';')[0] as string
    expect(cookie).toMatch(/^connect\.sid=/)
    expect(await (await ask('/visits', from({ cookie }))).text()).toBe('2')
  })

  test('compresses what the client can inflate', async () => {
    const zipped = await ask('/compressible', from({ 'Accept-Encoding': 'gzip' }))
    expect([zipped.headers.get('content-encoding'), zipped.headers.get('vary')]).toEqual(['gzip', 'Accept-Encoding'])
    const inflated = zipped.body?.pipeThrough(new DecompressionStream('gzip'))
    expect(await new Response(inflated).text()).toBe(COMPRESSIBLE)
  })

  test('sends a file, a range of it, and nothing of it to HEAD or when it is known', async () => {
    const whole = await ask('/file')
    const text = await whole.text()
    const range = await ask('/file', from({ Range: 'bytes=3-9' }))
    expect([range.status, range.headers.get('content-range')]).toEqual([206, `bytes 3-9/${text.length}`])
    expect(await range.text()).toBe(text.slice(3, 10))
    const head = await ask('/file', { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, `${text.length}`, ''])
    const known = await ask('/file', from({ 'If-None-Match': whole.headers.get('etag') as string }))
    expect([known.status, await known.text()]).toEqual([304, ''])
    expect((await ask('/pipe').then((response) => response.text())).length).toBe(text.length)
  })

  test('redirects, sets cookies, has nothing to say', async () => {
    const redirect = await ask('/redirect')
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, '/elsewhere?x=1'])
    expect((await ask('/cookies')).headers.getSetCookie()).toHaveLength(4)
    expect((await ask('/empty')).status).toBe(204)
  })

  test('answers after early hints', async () => {
    expect(await (await ask('/hints')).text()).toBe('hinted')
  })

  test('shows its error pages, of errors at once and of later ones', async () => {
    expect(await (await ask('/error-page')).text()).toBe('error page: thrown')
    const found = await Promise.all(
      ['/throws', '/rejects', '/late-error'].map(async (path) => (await ask(path)).status),
    )
    expect(found).toEqual([500, 409, 500])
  })

  test('hears finish, then close', async () => {
    events.length = 0
    await ask('/?heard')
    await new Promise(setImmediate)
    expect(events).toEqual(['finish /?heard 200 sent true finished true', 'close /?heard 200 sent true finished true'])
  })
})

/** Its id, asked for where an app has it at the furthest: after awaits. */
async function idLater(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 1))
  await new Promise(process.nextTick)
  return currentRequest().id
}

type Answer = { end(text: string): void }
const later = (_req: unknown, res: Answer): void => void idLater().then((id) => res.end(id))

const TELLING: Record<string, App> = {
  'Express 5': express().get('/', later),
  'Express 4': express4().get('/', later),
  connect: connect().use(later),
  'Koa 3': new Koa().use(async (ctx) => {
    ctx.body = await idLater()
  }),
  'Fastify 5': Fastify().get('/', idLater),
  'Hono 4': new Hono().get('/', async (c) => c.text(await idLater())),
  'h3 2': new H3().get('/', idLater),
  '{ fetch }': { fetch: async () => new Response(await idLater()) },
}

test.each(Object.entries(TELLING))('currentRequest() is each request’s own under %s', async (name, app) => {
  const service = `telling ${name}`
  await using worker = createWorker({ space, service, app })
  await worker.start()
  const terms = { service, timeoutMs: 5_000, priority: 0, repeatable: true }
  const sent = Array.from({ length: 10 }, () => sendRequest(space, requestOf(), terms))
  const told = await Promise.all(sent.map(async ({ response }) => (await response).body.toString()))
  expect(told).toEqual(sent.map(({ id }) => id))
})

test.each(FRAMEWORKS)('client.fetch is answered by $name', async ({ name: service, make }) => {
  await using worker = createWorker({ space, service: `fetched ${service}`, app: make([]) })
  await worker.start()
  const client = createClient({ space, service: `fetched ${service}` })
  const hello = await client.fetch('/')
  expect([hello.status, hello.statusText, await hello.text()]).toEqual([200, 'OK', 'hello'])
  const headers = { 'Content-Type': 'application/json' }
  const json = await client.fetch('/json', { method: 'POST', headers, body: '{"a":[1,"ü"]}' })
  expect(await json.json()).toEqual({ got: { a: [1, 'ü'] } })
  const big = await client.fetch('/big')
  expect((await big.arrayBuffer()).byteLength).toBe(1 << 20)
  expect((await client.fetch('/nowhere')).status).toBe(404)
})

/** Says all that there is to say before an answer, and notes what it hears of that and of the end. */
function informing(res: ServerResponse, heard: string[]): void {
  for (const event of ['finish', 'close', 'error']) res.on(event, () => heard.push(event))
  res.writeContinue(() => heard.push('100'))
  res.writeProcessing()
  res.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' }, () => heard.push('103'))
  res.writeEarlyHints({ link: ['</b.css>; rel=preload; as=style', '</c.js>; rel=preload; as=script'], 'x-a': 'b' })
}

const INFORMING: Record<string, (heard: string[], go: () => Promise<void>) => App> = {
  'Express 5': (heard, go) =>
    express().get('/', async (_req, res) => {
      informing(res, heard)
      await go()
      res.json('told')
    }),
  'Fastify 5': (heard, go) =>
    Fastify().get('/', async (_request, reply) => {
      informing(reply.raw, heard)
      await go()
      return reply.send('"told"')
    }),
  'Koa 3': (heard, go) =>
    new Koa().use(async (ctx) => {
      informing(ctx.res, heard)
      await go()
      ctx.body = '"told"'
    }),
}

describe.each(Object.entries(INFORMING))('under %s', (name, make) => {
  test('what is said before the answer is no part of it, and finish and close are heard once', async () => {
    const heard: string[] = []
    const service = `informing ${name}`
    await using worker = createWorker({ space, service, app: make(heard, () => Promise.resolve()) })
    await worker.start()
    const terms = { service, timeoutMs: 5_000, priority: 0, repeatable: true }
    const { status, headers, body } = await whole(await sendRequest(space, requestOf(), terms).response)
    expect([status, body.toString()]).toEqual([200, '"told"'])
    expect(headers.join('\n')).not.toMatch(/link|x-a|\.css/i)
    await until(() => heard.includes('close'), 'it hears of the end')
    await new Promise(setImmediate)
    expect(heard).toEqual(['100', '103', 'finish', 'close'])
  })

  test('close is heard once when its request is over before it has answered, and what it answers then harms nobody', async () => {
    const heard: string[] = []
    let go!: () => void
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    const service = `outlived ${name}`
    await using worker = createWorker({ space, service, app: make(heard, () => gone) })
    await worker.start()
    const sent = sendRequest(space, requestOf(), { service, timeoutMs: 5_000, priority: 0, repeatable: true })
    await until(() => heard.includes('103'), 'it has begun')
    sent.withdraw()
    await until(() => heard.includes('close'), 'it hears that its client has gone')
    go()
    await until(() => worker.turns.inFlight === 0, 'it has ended')
    await new Promise(setImmediate)
    expect(heard).toEqual(['100', '103', 'close'])
    expect(worker.turns.overrunHandlers).toBe(0)
  })
})

describe('a Fastify app', () => {
  test('whose plugin fails keeps its worker from starting, and says so', async () => {
    const app = Fastify()
    app.register(async () => {
      throw new Error('no database')
    })
    const worker = createWorker({ space, service: 'failing', app })
    await expect(worker.start()).rejects.toMatchObject({
      code: 'APP_NOT_READY',
      status: 500,
      retryable: false,
      message: expect.stringContaining('no database'),
      cause: expect.objectContaining({ message: 'no database' }),
    })
    await worker.stop()
  })

  test('that never gets ready does not keep its worker from stopping', async () => {
    const app = Fastify({ pluginTimeout: 0 })
    app.register(() => new Promise(() => {}))
    const worker = createWorker({ space, service: 'never', app })
    const started = worker.start()
    await Promise.all([worker.stop(), expect(started).rejects.toMatchObject({ name: 'AbortError' })])
  })
})

test('a large response of a fetch app that takes its time has one head', async () => {
  const half = new Uint8Array(100_000).fill(97)
  async function* body(): AsyncGenerator<Uint8Array> {
    yield half
    // Longer than a small body would be waited for.
    await new Promise((resolve) => setTimeout(resolve, 50))
    yield half
  }
  const app = { fetch: () => new Response(ReadableStream.from(body())) }
  await createWorker({ space, service: 'large', app }).start()
  const response = await createClient({ space, service: 'large' }).fetch('/')
  expect(await response.text()).toBe('a'.repeat(200_000))
})
