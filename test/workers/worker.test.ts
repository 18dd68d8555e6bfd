/** A worker on a space in memory: what it takes, how it stops, and what it refuses to be made of. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import { openSpace } from '../../src/open.js'
import { type HttpResponse, type SendOptions, type Sent, sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { type App, createWorker, currentRequest, type WorkerOptions } from '../../workers/index.js'
import { until } from '../support/until.js'
import { listening, requestOf } from './turns.js'

let space: Space

beforeEach(async () => {
  space = await openSpace('memory:')
})

afterEach(() => space.close())

const send = (target: string, terms: Partial<SendOptions> = {}): Sent =>
  sendRequest(space, requestOf({ target }), {
    service: 'web',
    timeoutMs: 20_000,
    priority: 0,
    repeatable: true,
    ...terms,
  })

const textOf = ({ body }: HttpResponse): string => body.toString()

/** An app whose requests stay open until the test lets them go. */
function gated() {
  const seen: string[] = []
  const waiting: (() => void)[] = []
  let watch: (() => void) | undefined
  const app: App = (req, res) => {
    seen.push(req.url ?? '')
    waiting.push(() => res.end(req.url))
    watch?.()
  }
  const until = async (count: number): Promise<void> => {
    while (seen.length < count) {
      await new Promise<void>((resolve) => {
        watch = resolve
      })
    }
  }
  const open = (): void => {
    for (const go of waiting.splice(0)) go()
  }
  return { app, seen, until, open }
}

test('an Express app is served through the space', async () => {
  const app = express()
  app.post('/sum', express.json(), (req, res) => {
    const { a, b } = req.body as { a: number; b: number }
    res.json({ sum: a + b })
  })
  await using worker = createWorker({ space, app })
  await worker.start()
  const headers = ['Host', 'x', 'Content-Type', 'application/json', 'Content-Length', '13']
  const request = requestOf({ method: 'POST', target: '/sum', headers, body: Buffer.from('{"a":1,"b":2}') })
  const sent = sendRequest(space, request, { service: 'web', timeoutMs: 5_000, priority: 0, repeatable: false })
  expect(JSON.parse(textOf(await sent.response))).toEqual({ sum: 3 })
})

test('a worker takes only the requests of its service', async () => {
  await using web = createWorker({ space, app: (_req, res) => void res.end('web') })
  await using admin = createWorker({ space, service: 'admin', app: { fetch: () => new Response('admin') } })
  await Promise.all([web.start(), admin.start()])
  expect(textOf(await send('/', { service: 'admin' }).response)).toBe('admin')
  expect(textOf(await send('/').response)).toBe('web')
})

test('a worker never holds more than its concurrency', async () => {
  const { app, seen, until, open } = gated()
  await using worker = createWorker({ space, app, concurrency: 3 })
  await worker.start()
  const sent = Array.from({ length: 10 }, (_, i) => send(`/${i}`))
  await until(3)
  await new Promise(setImmediate)
  expect(seen).toEqual(['/0', '/1', '/2'])
  for (let done = 3; done <= 10; done++) {
    open()
    await until(Math.min(done, 10))
  }
  open()
  expect((await Promise.all(sent.map(({ response }) => response))).map(textOf)).toEqual(seen)
})

test('a handler that never answers loses its slot when its request is over, and is counted until it ends', async () => {
  const logger = listening()
  const held: { req: IncomingMessage; res: ServerResponse; signal: AbortSignal }[] = []
  const app: App = (req, res) => {
    if (req.url === '/next') res.end('alive')
    else held.push({ req, res, signal: currentRequest().signal })
  }
  await using worker = createWorker({ space, app, concurrency: 1, logger })
  await worker.start()
  const hung = send('/hang?secret', { timeoutMs: 30 })
  // Withdrawing is the gateway's part; here nobody does it, so the worker's own clock must.
  hung.response.catch(() => {})
  expect(textOf(await send('/next').response)).toBe('alive')
  expect(held[0]?.signal.aborted).toBe(true)
  expect([worker.turns.taken, worker.turns.overrunHandlers]).toEqual([2, 1])
  const told = logger.lines.filter(({ level }) => level === 'warn')
  expect(told).toMatchObject([{ fields: { id: hung.id, service: 'web', method: 'GET', path: '/hang' } }])
  // It answers after all, to nobody.
  held[0]?.res.end('late')
  await until(() => worker.turns.overrunHandlers === 0, 'it has ended')
})

/** Each heeds what it hears in its framework's own way. */
const HEEDING: Record<string, () => App> = {
  'Express 5, by failing': () => express().get('/', (_req, _res) => aborted()),
  'Express 5, by answering': () => express().get('/', (_req, res) => void aborted().catch(() => res.json('over'))),
  'Express 5, at once': () =>
    express().get('/', (_req, res) => currentRequest().signal.addEventListener('abort', () => res.status(503).end())),
  'Express 5, when it is told aborted': () => express().get('/', (req, res) => void req.on('aborted', () => res.end())),
  'Express 5, when the connection closes': () =>
    express().get('/', (req, res) => void req.on('close', () => res.end())),
  'Fastify, by failing': () => Fastify().get('/', () => aborted()),
  'Koa, by failing': () =>
    Object.assign(
      new Koa().use(() => aborted()),
      { silent: true },
    ),
  'Koa, by going on': () => new Koa().use(() => aborted().catch(() => {})),
  'a plain function, by going on': () => (_req, _res) => aborted().catch(() => {}),
  '{ fetch }, by failing': () => ({ fetch: () => aborted() as Promise<never> }),
}

async function aborted(): Promise<never> {
  const { signal } = currentRequest()
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  throw signal.reason
}

test.each(Object.entries(HEEDING))('a handler that heeds its signal is none of those: %s', async (_name, make) => {
  await using worker = createWorker({ space, app: make(), concurrency: 1 })
  await worker.start()
  const sent = send('/', { timeoutMs: 30 })
  sent.response.catch(() => {})
  await until(() => worker.turns.taken === 1, 'it is taken')
  await until(() => worker.turns.inFlight === 0, 'its slot is free')
  expect(worker.turns.overrunHandlers).toBe(0)
  const ever = worker.measures.find(({ name }) => name === 'takespace_overrun_handlers_total')
  expect(await ever?.samples()).toEqual([{ labels: { service: 'web' }, value: 0 }])
})

test('a worker lists what it works on, oldest first, at most twenty, and nothing of a query', async () => {
  const { app, until: seen, open } = gated()
  await using worker = createWorker({ space, app, concurrency: 25 })
  await worker.start()
  const long = `/0${'x'.repeat(300)}`
  const sent = [send(`${long}?password=1`), ...Array.from({ length: 24 }, (_, i) => send(`/${i + 1}`))]
  await seen(25)
  const list = worker.turns.list()
  expect(list.map(({ path }) => path)).toEqual([
    long.slice(0, 200),
    ...Array.from({ length: 19 }, (_, i) => `/${i + 1}`),
  ])
  expect(list[0]).toEqual({
    id: sent[0]?.id,
    service: 'web',
    method: 'GET',
    path: long.slice(0, 200),
    ms: expect.any(Number),
  })
  expect(list[0]!.ms).toBeGreaterThanOrEqual(list[19]!.ms)
  open()
  await Promise.all(sent.map(({ response }) => response))
  await until(() => worker.turns.inFlight === 0, 'all have been settled')
  expect([worker.turns.taken, worker.turns.list()]).toEqual([25, []])
})

test('a request that its client gave up is cut', async () => {
  let cut!: (reason: unknown) => void
  const wasCut = new Promise((resolve) => {
    cut = resolve
  })
  let begun!: () => void
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const app: App = () => {
    const { signal } = currentRequest()
    signal.addEventListener('abort', () => cut(signal.reason))
    begun()
  }
  await using worker = createWorker({ space, app })
  await worker.start()
  const sent = send('/')
  await hasBegun
  sent.withdraw()
  expect(await wasCut).toMatchObject({ code: 'CLAIM_LOST' })
})

describe('stop()', () => {
  test('finishes what is held and takes nothing new', async () => {
    const { app, seen, until, open } = gated()
    const worker = createWorker({ space, app })
    await worker.start()
    const held = send('/held')
    await until(1)
    const stopped = worker.stop()
    await new Promise(setImmediate)
    const next = send('/next')
    open()
    await stopped
    expect(textOf(await held.response)).toBe('/held')
    expect(seen).toEqual(['/held'])

    await using other = createWorker({ space, app: (req, res) => void res.end(`other ${req.url}`) })
    await other.start()
    expect(textOf(await next.response)).toBe('other /next')
  })

  test('waits no longer than its bound: what may run again is run by another, what may not is answered 502', async () => {
    const { app, until } = gated()
    const logger = listening()
    const worker = createWorker({ space, app, stopTimeoutMs: 10, logger })
    await worker.start()
    const again = send('/again')
    const once = send('/once', { repeatable: false })
    await until(2)
    await worker.stop()
    expect((await once.response).status).toBe(502)
    await using other = createWorker({ space, app: (_req, res) => void res.end(`attempt ${currentRequest().attempt}`) })
    await other.start()
    expect(textOf(await again.response)).toBe('attempt 1')
  })

  test('may be called again, before a start, and by closing the space', async () => {
    const idle = createWorker({ space, app: (_req, res) => void res.end() })
    await idle.stop()
    const worker = createWorker({ space, app: (_req, res) => void res.end('x') })
    await Promise.all([worker.start(), worker.start()])
    expect(textOf(await send('/').response)).toBe('x')
    await space.close()
    await Promise.all([worker.stop(), worker.stop()])
  })
})

describe('currentRequest()', () => {
  test('knows the request after awaits, in timers and in callbacks, each its own', async () => {
    const app: App = async (_req, res) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5))
      process.nextTick(() => {
        const { id, service, priority, attempt, deadline, signal } = currentRequest()
        res.end(JSON.stringify({ id, service, priority, attempt, deadline, aborted: signal.aborted }))
      })
    }
    await using worker = createWorker({ space, app })
    await worker.start()
    const before = Date.now()
    const sent = Array.from({ length: 20 }, (_, i) => send('/', { priority: i }))
    const told = (await Promise.all(sent.map(({ response }) => response))).map((r) => JSON.parse(textOf(r)))
    expect(told.map(({ id, priority }) => [id, priority])).toEqual(sent.map(({ id }, i) => [id, i]))
    expect(told[0]).toMatchObject({ service: 'web', attempt: 1, aborted: false })
    expect(told[0].deadline - 20_000).toBeGreaterThan(before - 1_000)
    expect(told[0].deadline - 20_000).toBeLessThan(Date.now() + 1_000)
  })

  test('outside of a handler there is none', () => {
    expect(() => currentRequest()).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

describe('createWorker refuses', () => {
  const app: App = (_req, res) => void res.end()
  const bad: [string, object][] = [
    ['space', { space: undefined }],
    ['space', { space: {} }],
    ['service', { service: '' }],
    ['service', { service: 7 }],
    ['concurrency', { concurrency: 0 }],
    ['concurrency', { concurrency: 1.5 }],
    ['concurrency', { concurrency: '4' }],
    ['stopTimeoutMs', { stopTimeoutMs: -1 }],
    ['stopTimeoutMs', { stopTimeoutMs: Number.NaN }],
    ['logger', { logger: {} }],
    ['concurency', { concurency: 4 }],
  ]
  for (const [name, options] of bad) {
    test(`${name}: ${JSON.stringify(options)}`, () => {
      const make = () => createWorker({ space, app, ...options } as WorkerOptions)
      expect(make).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
      )
    })
  }
})
