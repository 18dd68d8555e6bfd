/** The three probes of Kubernetes: while it starts, when it is ready, while it drains, and when Redis is gone. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { probesOf } from '../../src/admin/probes.js'
import { openSpace } from '../../src/open.js'
import { Spread } from '../../src/tally.js'
import { createWorker } from '../../workers/index.js'
import { signal } from '../gateway/serving.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

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
  const worker = createWorker({ space, app: app as never, adminPort: 0 })
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
  const first = createGateway({ space, port: 0, adminPort: 0 })
  await first.start()
  const taken = Number(new URL(first.adminUrl as string).port)
  await expect(createGateway({ space, port: 0, adminPort: taken }).start()).rejects.toMatchObject({
    code: 'PORT_TAKEN',
  })
  const second = createGateway({ space, port: Number(new URL(first.url).port), adminPort: 0 })
  await expect(second.start()).rejects.toMatchObject({ code: 'PORT_TAKEN' })
  expect(second.adminUrl).toBeUndefined()
})

test('a space that is full, or has not answered for three seconds, makes it not ready', async () => {
  const health = { connected: true, answeredMsAgo: 0, full: false, queued: 0, reconnects: 0, waited: new Spread() }
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
  expect(await ready({ answeredMsAgo: 3_100 })).toBe(false)
  expect(await ready({ connected: false })).toBe(false)
})

describe('on Redis', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const within = async (ms: number, url: string | undefined, status: number): Promise<void> =>
    until(async () => (await probe(url, '/readyz'))[0] === status, `/readyz answers ${status}`, ms)

  test('killed: not ready within 4 s, alive all the time, ready again after the restart', async () => {
    await using space = await openSpace(redis.url, { name: 'killed' })
    const worker = createWorker({ space, app: (_req, res) => void res.end(), adminPort: 0 })
    const gateway = createGateway({ space, port: 0, adminPort: 0 })
    await Promise.all([worker.start(), gateway.start()])
    for (const { adminUrl } of [worker, gateway]) expect(await statuses(adminUrl)).toEqual([200, 200, 200])
    await redis.kill()
    for (const { adminUrl } of [worker, gateway]) {
      await within(4_000, adminUrl, 503)
      expect(await statuses(adminUrl)).toEqual([200, 200, 503])
    }
    await redis.restart()
    for (const { adminUrl } of [worker, gateway]) await within(10_000, adminUrl, 200)
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
    expect(text).toMatch(/^takespace_space_connected 1$/m)
    expect(text).toMatch(/^takespace_space_reconnects_total [1-9]/m)
  })

  test('frozen, with its connections open: not ready within 4 s, ready again when it goes on', async () => {
    await using space = await openSpace(redis.url, { name: 'frozen' })
    const gateway = createGateway({ space, port: 0, adminPort: 0 })
    await gateway.start()
    await within(1_000, gateway.adminUrl, 200)
    redis.pause()
    try {
      await within(4_000, gateway.adminUrl, 503)
    } finally {
      redis.resume()
    }
    await within(10_000, gateway.adminUrl, 200)
  })

  test('full: a gateway whose write was refused is not ready for a while', async () => {
    await using space = await openSpace(redis.url, { name: 'full' })
    const gateway = createGateway({ space, port: 0, adminPort: 0 })
    await gateway.start()
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    try {
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
