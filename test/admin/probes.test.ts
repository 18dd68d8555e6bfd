/** The three probes of Kubernetes: while it starts, when it is ready, while it drains, and when Redis is gone. */
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { probesOf } from '../../src/admin/probes.js'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { openSpace } from '../../src/open.js'
import { sendRequest } from '../../src/request.js'
import { type App, createWorker } from '../../workers/index.js'
import { signal } from '../gateway/serving.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLink } from '../support/link.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { requestOf } from '../workers/turns.js'

const probe = async (url: string | undefined, path: string): Promise<[number, Record<string, string>]> => {
  const response = await fetch(`${url}${path}`, { headers: { connection: 'close' } })
  const { checks } = (await response.json()) as { checks: Record<string, string> }
  return [response.status, checks]
}

const statuses = async (url: string | undefined): Promise<number[]> => {
  const all = await Promise.all(['/livez', '/startupz', '/readyz'].map((path) => probe(url, path)))
  return all.map(([status]) => status)
}

test('nothing listens unless it is asked for', async () => {
  await using space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  expect(gateway.adminUrl).toBeUndefined()
})

test('a worker has started when its app is ready, is ready then, and is not while it drains', async () => {
  await using space = await openSpace('memory:')
  const opening = signal()
  const begun = signal()
  const finish = signal()
  // The shape of a Fastify app: the worker waits for its ready().
  const app = {
    ready: () => opening.promise,
    routing: (_req: unknown, res: { end(text: string): void }) => {
      begun.resolve()
      void finish.promise.then(() => res.end('done'))
    },
    inject() {},
  }
  const worker = createWorker({ space, app: app as never, admin: { port: 0 } })
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  const starting = worker.start()
  await until(() => worker.adminUrl !== undefined, 'the admin port is open')
  const { adminUrl } = worker
  expect(await statuses(adminUrl)).toEqual([200, 503, 503])
  opening.resolve()
  await starting
  expect(await statuses(adminUrl)).toEqual([200, 200, 200])

  const answer = fetch(gateway.url, { headers: { connection: 'close' } })
  await begun.promise
  const stopping = worker.stop()
  await until(async () => (await statuses(adminUrl))[2] === 503, 'it is not ready')
  expect(await statuses(adminUrl)).toEqual([200, 200, 503])
  expect((await probe(adminUrl, '/readyz'))[1]).toMatchObject({ phase: 'draining' })
  finish.resolve()
  expect(await (await answer).text()).toBe('done')
  await stopping
  expect(worker.adminUrl).toBeUndefined()
  await expect(fetch(adminUrl as string)).rejects.toThrow()
})

test('a start that fails leaves no admin port open, and one that is taken says so', async () => {
  await using space = await openSpace('memory:')
  const first = createGateway({ space, port: 0, admin: { port: 0 } })
  await first.start()
  const taken = Number(new URL(first.adminUrl as string).port)
  await expect(createGateway({ space, port: 0, admin: { port: taken } }).start()).rejects.toMatchObject({
    code: 'PORT_TAKEN',
  })
  const second = createGateway({ space, port: Number(new URL(first.url).port), admin: { port: 0 } })
  await expect(second.start()).rejects.toMatchObject({ code: 'PORT_TAKEN' })
  expect(second.adminUrl).toBeUndefined()
})

/** Of a space that is well. */
const health = {
  connected: true,
  answeredMsAgo: 0,
  full: false,
  damaged: 0,
  unusable: false,
  queued: 0,
  reconnects: 0,
  gaps: 0,
}

test('a space that is full, whose keys are foreign, or that has not answered for two seconds, makes it not ready', async () => {
  const ready = async (parts: Partial<typeof health>) => {
    const verdict = await probesOf(
      () => 'up',
      async () => ({ ...health, ...parts }),
      () => true,
    ).ready()
    return verdict.ok
  }
  expect(await ready({})).toBe(true)
  expect(await ready({ full: true })).toBe(false)
  expect(await ready({ unusable: true })).toBe(false)
  expect(await ready({ answeredMsAgo: 2_100 })).toBe(false)
  // A restart of Redis is waited out.
  expect(await ready({ connected: false, answeredMsAgo: 1_900 })).toBe(true)
  expect(await ready({ connected: false, answeredMsAgo: 2_100 })).toBe(false)
})

test('an event loop that does not turn for more than a second makes it not ready', async () => {
  const probes = probesOf(
    () => 'up',
    async () => health,
    () => true,
  )
  const asked = probes.ready()
  const end = performance.now() + 1_010
  while (performance.now() < end);
  expect((await asked).checks).toMatchObject({ loop: expect.stringMatching(/^the event loop took \d+ ms to turn$/) })
  await until(async () => (await probes.ready()).ok, 'it turns again')
})

test('a worker with 64 handlers that run past their deadlines is not ready until one ends; as many as it runs at a time are no reason', async () => {
  await using space = await openSpace('memory:')
  const held: ServerResponse[] = []
  const app: App = (_req, res) => void held.push(res)
  const worker = createWorker({ space, app, concurrency: 16, admin: { port: 0 } })
  await worker.start()
  expect(worker.turns.maxOverrunHandlers).toBe(64)
  const terms = { service: 'web', timeoutMs: 100, priority: 0, repeatable: true }
  while (held.length < 64) {
    expect((await probe(worker.adminUrl, '/readyz'))[0]).toBe(200)
    const due = held.length + 16
    const sent = Array.from({ length: 16 }, () => sendRequest(space, requestOf(), terms))
    for (const { response } of sent) response.catch(() => {})
    await until(() => held.length === due, 'they run')
    await until(() => worker.turns.overrunHandlers === due, 'they are counted')
  }
  const [status, checks] = await probe(worker.adminUrl, '/readyz')
  expect(status).toBe(503)
  expect(checks).toMatchObject({ serving: 'ok', handlers: '64 handlers run on although their requests are over' })
  held[0]?.end()
  await until(async () => (await probe(worker.adminUrl, '/readyz'))[0] === 200, 'it is ready')
  for (const res of held) res.end()
})

describe('on Redis', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const within = async (ms: number, url: string | undefined, status: number): Promise<void> =>
    until(async () => (await probe(url, '/readyz'))[0] === status, `/readyz answers ${status}`, ms)

  test('killed: not ready within 3 s, alive all the time, ready again after the restart', async () => {
    await using space = await openSpace(redis.url, { name: 'killed' })
    const worker = createWorker({ space, app: (_req, res) => void res.end(), admin: { port: 0 } })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await Promise.all([worker.start(), gateway.start()])
    for (const { adminUrl } of [worker, gateway]) expect(await statuses(adminUrl)).toEqual([200, 200, 200])
    await redis.kill()
    for (const { adminUrl } of [worker, gateway]) {
      await within(3_000, adminUrl, 503)
      expect(await statuses(adminUrl)).toEqual([200, 200, 503])
    }
    await redis.restart()
    for (const { adminUrl } of [worker, gateway]) await within(10_000, adminUrl, 200)
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
    expect(text).toMatch(/^takespace_space_connected 1$/m)
    expect(text).toMatch(/^takespace_space_reconnects_total [1-9]/m)
  })

  test('frozen, with its connections open: not ready within 3 s, ready again and serving when it goes on', async () => {
    // As in production: a link of its own for each.
    await using space = await openSpace(redis.url, { name: 'frozen' })
    await using other = await openSpace(redis.url, { name: 'frozen' })
    const worker = createWorker({ space: other, app: (_req, res) => void res.end('taken'), admin: { port: 0 } })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await Promise.all([worker.start(), gateway.start()])
    for (const { adminUrl } of [worker, gateway]) await within(1_000, adminUrl, 200)
    redis.pause()
    try {
      await Promise.all([worker, gateway].map(({ adminUrl }) => within(3_000, adminUrl, 503)))
      for (const { adminUrl } of [worker, gateway]) {
        const [, checks] = await probe(adminUrl, '/readyz')
        expect(checks.space).toMatch(/^(not connected|no answer for \d+ ms)$/)
        expect((await probe(adminUrl, '/livez'))[0]).toBe(200)
      }
    } finally {
      redis.resume()
    }
    for (const { adminUrl } of [worker, gateway]) await within(10_000, adminUrl, 200)
    expect(await (await fetch(gateway.url, { headers: { connection: 'close' } })).text()).toBe('taken')
  })

  test('a worker serves as long as its take stands in the space: not without a link, and again with the next one', async () => {
    const link = await startLink(redis.port)
    try {
      await using space = await openSpace(link.url, { name: 'standing' })
      const worker = createWorker({ space, app: (_req, res) => void res.end(), admin: { port: 0 } })
      await worker.start()
      const serving = async () => (await probe(worker.adminUrl, '/readyz'))[1].serving
      expect(await serving()).toBe('ok')
      await link.refuse()
      link.cut()
      await until(async () => (await serving()) === 'not serving', 'it does not serve')
      await link.accept()
      await until(async () => (await serving()) === 'ok', 'it serves again')
      await within(1_000, worker.adminUrl, 200)
    } finally {
      await link.close()
    }
  })

  test('told to evict while it runs: not ready within 10 s, nor to be joined, and ready again when that is put back', async () => {
    await using space = await openSpace(redis.url, { name: 'evicting' })
    const worker = createWorker({ space, app: (_req, res) => void res.end(), admin: { port: 0 } })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await Promise.all([worker.start(), gateway.start()])
    const policy = (is: string): Promise<string> => redis.cli('CONFIG', 'SET', 'maxmemory-policy', is)
    for (const { adminUrl } of [worker, gateway]) await within(1_000, adminUrl, 200)
    await policy('allkeys-lru')
    try {
      for (const { adminUrl } of [worker, gateway]) {
        await within(10_000, adminUrl, 503)
        expect((await probe(adminUrl, '/readyz'))[1]).toMatchObject({
          space: 'ok',
          policy: 'the server may evict entries: its maxmemory-policy is allkeys-lru',
        })
      }
      await expect(openSpace(redis.url, { name: 'evicting' })).rejects.toMatchObject({ code: 'REDIS_EVICTS' })
    } finally {
      await policy('noeviction')
    }
    for (const { adminUrl } of [worker, gateway]) await within(10_000, adminUrl, 200)
  })

  test('full: a gateway whose write was refused is not ready for a while', async () => {
    await using space = await openSpace(redis.url, { name: 'full' })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await gateway.start()
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    try {
      // The functions look at the memory every 100 ms.
      const isFull = (): Promise<boolean> =>
        space.write(defineEntry('Probe')({})).then(
          () => false,
          (error) => isSpaceError(error, 'SPACE_FULL'),
        )
      await until(isFull, 'the functions have seen it')
      const response = await fetch(gateway.url, { headers: { connection: 'close' } })
      expect(response.status).toBe(503)
      const [status, checks] = await probe(gateway.adminUrl, '/readyz')
      expect([status, checks.writes]).toEqual([503, 'the space is full'])
    } finally {
      await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    }
    await within(5_000, gateway.adminUrl, 200)
  })
})

failOnLeaks()
