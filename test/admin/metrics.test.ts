/** /metrics tells what happened: known requests, and the numbers that they must leave behind. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import { createGateway } from '../../gateway/index.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { BOUNDS_MS, Histogram } from '../../src/runtime/counters.js'
import { VERSION } from '../../src/version.js'
import { createWorker } from '../../workers/index.js'
import { Turn } from '../../workers/turn.js'
import { signal } from '../gateway/serving.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { ranOf, requestOf, takenOf, watchOf } from '../workers/turns.js'

/** Value by line: `name{labels}`. */
async function scrape(url: string | undefined): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { connection: 'close' } })
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

test('requests, times, what is under way and what there is room for', async () => {
  await using space = await openSpace('memory:')
  const begun = signal()
  const finish = signal()
  const worker = createWorker({
    space,
    concurrency: 4,
    admin: { port: 0 },
    app: (req, res) => {
      if (req.url === '/held') {
        begun.resolve()
        void finish.promise.then(() => res.end())
        return
      }
      if (req.url === '/throws') throw new Error('as it was told to')
      res.statusCode = req.url === '/missing' ? 404 : 200
      res.end()
    },
  })
  const gateway = createGateway({ space, port: 0, admin: { port: 0 }, limits: { inFlight: 50 } })
  await Promise.all([worker.start(), gateway.start()])
  const get = async (path: string) => (await fetch(gateway.url + path, { headers: { connection: 'close' } })).status
  expect(await Promise.all(['/', '/', '/', '/missing', '/throws'].map(get))).toEqual([200, 200, 200, 404, 500])

  const held = get('/held')
  await begun.promise
  const during = [await scrape(gateway.adminUrl), await scrape(worker.adminUrl)] as const
  expect(Object.fromEntries(during[0])).toMatchObject({
    'takespace_requests_total{service="web",status="200"}': 3,
    'takespace_requests_total{service="web",status="404"}': 1,
    'takespace_requests_total{service="web",status="500"}': 1,
    'takespace_request_seconds_count{service="web"}': 5,
    'takespace_request_seconds_bucket{le="+Inf",service="web"}': 5,
    takespace_requests_in_flight: 1,
    takespace_requests_capacity: 50,
    takespace_space_connected: 1,
    takespace_space_reconnects_total: 0,
  })
  expect(during[0].get('takespace_requests_oldest_seconds')).toBeGreaterThan(0)
  expect(during[0].get('process_resident_memory_bytes')).toBeGreaterThan(0)
  expect(Object.fromEntries(during[1])).toMatchObject({
    'takespace_turns_total{service="web",ending="answered"}': 4,
    'takespace_turns_total{service="web",ending="failed"}': 1,
    'takespace_service_seconds_count{service="web"}': 5,
    'takespace_waiting_seconds_count{service="web"}': 6,
    'takespace_turns_in_flight{service="web"}': 1,
    'takespace_turns_capacity{service="web"}': 4,
    'takespace_redeliveries_total{service="web"}': 0,
    'takespace_refused_completions_total{service="web"}': 0,
  })

  finish.resolve()
  expect(await held).toBe(200)
  expect((await scrape(gateway.adminUrl)).get('takespace_requests_in_flight')).toBe(0)
  expect((await scrape(worker.adminUrl)).get('takespace_turns_in_flight{service="web"}')).toBe(0)
})

test('a request for nobody is counted under no service', async () => {
  await using space = await openSpace('memory:')
  const gateway = createGateway({
    space,
    port: 0,
    admin: { port: 0 },
    services: [{ service: 'api', pathPrefix: '/api' }],
  })
  await gateway.start()
  await fetch(gateway.url, { headers: { connection: 'close' } })
  expect((await scrape(gateway.adminUrl)).get('takespace_requests_total{service="",status="404"}')).toBe(1)
})

test('a redelivery and a refused answer are counted', async () => {
  const watch = watchOf()
  const taken = takenOf(requestOf(), { attempt: 2, complete: async () => false })
  const response = { status: 200, reason: '', headers: [], body: Buffer.alloc(0) }
  const turn = new Turn(taken, async () => response, watch)
  await ranOf(turn)
  expect(watch.counters).toMatchObject({ redelivered: 1, refused: 1, endings: { answered: 1 } })
})

test('a time is counted in the first bucket that it fits in', () => {
  const spread = new Histogram()
  const longest = BOUNDS_MS[BOUNDS_MS.length - 1] as number
  for (const ms of [0, 1, 1.1, longest, longest + 1]) spread.observe(ms)
  expect([spread.counts[0], spread.counts[1], ...spread.counts.slice(-2)]).toEqual([2, 1, 1, 1])
})

describe('on Redis, what waits in the space', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const WAITING = 'takespace_waiting{service="web"}'
  const OLDEST = 'takespace_waiting_oldest_seconds{service="web"}'
  const SERVICES = [
    { service: 'web' },
    { service: 'web', pathPrefix: '/again' },
    { service: 'api', pathPrefix: '/api' },
  ]

  test('requests without a worker show at the gateway by service, and none when they are answered, there and at the worker', async () => {
    // As in production: a link of its own for each.
    await using space = await openSpace(redis.url, { name: 'waiting' })
    await using other = await openSpace(redis.url, { name: 'waiting' })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 }, services: SERVICES })
    await gateway.start()
    const get = async (path: string) => (await fetch(gateway.url + path, { headers: { connection: 'close' } })).status
    const answers = ['/', '/', '/again', '/api'].map(get)
    await until(async () => (await scrape(gateway.adminUrl)).get(WAITING) === 3, 'three requests wait')
    const before = await scrape(gateway.adminUrl)
    expect(before.get('takespace_waiting{service="api"}')).toBe(1)
    await until(
      async () => (await scrape(gateway.adminUrl)).get(OLDEST)! > before.get(OLDEST)!,
      'the oldest gets older',
    )

    const [web, api] = ['web', 'api'].map((service) =>
      createWorker({ space: other, service, app: (_req, res) => void res.end(), admin: { port: 0 } }),
    )
    await Promise.all([web?.start(), api?.start()])
    expect(await Promise.all(answers)).toEqual([200, 200, 200, 200])
    for (const { adminUrl } of [gateway, web!]) {
      expect(Object.fromEntries(await scrape(adminUrl))).toMatchObject({ [WAITING]: 0, [OLDEST]: 0 })
    }
    expect((await scrape(web!.adminUrl)).has('takespace_waiting{service="api"}')).toBe(false)
  })

  test('a dead letter shows to all, a misfit to who met it', async () => {
    await using space = await openSpace(redis.url, { name: 'letters' })
    await using other = await openSpace(redis.url, { name: 'letters' })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    const worker = createWorker({ space: other, app: (_req, res) => void res.end(), admin: { port: 0 } })
    await Promise.all([gateway.start(), worker.start()])
    const both = async () => {
      const told = await Promise.all([gateway, worker].map(({ adminUrl }) => scrape(adminUrl)))
      return told.map((series) => [
        series.get('takespace_dead_letters'),
        series.get('takespace_nonconforming_entries_total'),
      ])
    }
    expect(await both()).toEqual([
      [0, 0],
      [0, 0],
    ])
    await space.write(defineEntry<{ id: string }>('Job')({ id: 'none' }))
    const Job = defineEntry('Job', { schema: z.object({ id: z.number() }) })
    expect(await space.readIfExists(Job)).toBeNull()
    expect(await both()).toEqual([
      [1, 1],
      [1, 0],
    ])
  })

  test('the server: its memory, its limit, its durability; and processes by role and release', async () => {
    await redis.cli('CONFIG', 'SET', 'maxmemory', '100mb')
    await using space = await openSpace(redis.url, { name: 'server' })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await Promise.all([gateway.start(), createWorker({ space, app: (_req, res) => void res.end() }).start()])
    const told = () => scrape(gateway.adminUrl)
    const processes = (role: string): string =>
      `takespace_processes{role="${role}",release="",version="${VERSION}",state="running"}`
    await until(async () => (await told()).get(processes('worker')) === 1, 'the worker has told of itself')
    const series = await told()
    expect(Object.fromEntries(series)).toMatchObject({
      [processes('gateway')]: 1,
      takespace_space_memory_limit_bytes: 100 * 2 ** 20,
      'takespace_space_durability{level="memory"}': 1,
      takespace_space_may_evict: 0,
      takespace_space_gaps_total: 0,
    })
    expect(series.get('takespace_space_memory_bytes')).toBeGreaterThan(100_000)
    await redis.cli('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'allkeys-lru')
    try {
      await until(async () => (await told()).get('takespace_space_may_evict') === 1, 'the policy is told')
      expect((await told()).has('takespace_space_memory_limit_bytes')).toBe(false)
    } finally {
      await redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    }
  })

  test('streamed bodies: those that are open, and their bytes', async () => {
    await using space = await openSpace(redis.url, { name: 'streams', directStreams: 'off' })
    await using other = await openSpace(redis.url, { name: 'streams', directStreams: 'off' })
    const finish = signal()
    const app = async (_req: unknown, res: { write(text: string): void; end(text: string): void }) => {
      res.write('x'.repeat(50_000))
      await finish.promise
      res.end('x'.repeat(50_000))
    }
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    const worker = createWorker({ space: other, app, admin: { port: 0 } })
    await Promise.all([gateway.start(), worker.start()])
    const response = await fetch(gateway.url, { headers: { connection: 'close' } })
    expect((await scrape(worker.adminUrl)).get('takespace_streams_open')).toBe(1)
    finish.resolve()
    expect((await response.text()).length).toBe(100_000)
    await until(async () => (await scrape(worker.adminUrl)).get('takespace_streams_open') === 0, 'the stream has ended')
    // The first bytes travel with the head, in the entry.
    const sent = (await scrape(worker.adminUrl)).get('takespace_stream_bytes_total{way="sent"}')!
    expect(sent).toBeGreaterThan(50_000)
    // Messages that nobody heard yet are sent again.
    const received = (await scrape(gateway.adminUrl)).get('takespace_stream_bytes_total{way="received"}')!
    expect([received > 50_000, received <= sent]).toEqual([true, true])
    expect((await scrape(worker.adminUrl)).get('takespace_stream_unconfirmed_bytes')).toBe(0)
  })

  test('while Redis is frozen they are left out, and all else is told within three seconds', async () => {
    await using space = await openSpace(redis.url, { name: 'frozen' })
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await gateway.start()
    const asked = ['takespace_dead_letters', WAITING, OLDEST]
    const told = async () => {
      const series = await scrape(gateway.adminUrl)
      expect(series.get('takespace_requests_in_flight')).toBe(0)
      return asked.filter((name) => series.has(name))
    }
    expect(await told()).toEqual(asked)
    redis.pause()
    try {
      // Answered while Redis stands still.
      expect(await told()).toEqual([])
      // Also when the link has been given up.
      await until(async () => !(await space.engine.health()).connected, 'the link is given up')
      expect(await told()).toEqual([])
    } finally {
      redis.resume()
    }
    await until(async () => (await told()).length === asked.length, 'they are told again')
  })
})

failOnLeaks()
