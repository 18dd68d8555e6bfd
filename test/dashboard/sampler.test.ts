/** The sampler on a real Redis: what it costs whoever watches, and what it shows while Redis is away. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ProcessPresence, type ProcessReport } from '../../src/control/kinds.js'
import type { SpaceState } from '../../src/control/state.js'
import { createDashboard, type Dashboard } from '../../src/dashboard/index.js'
import { Watchers } from '../../src/dashboard/watchers.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { ask, HOST } from './asked.js'
import { functionCalls } from './room.js'

let redis: Redis
let space: Space
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  space = await openSpace(redis.url)
})
afterAll(async () => {
  await space.close()
  await redis.stop()
})

interface Watch {
  /** Samples so far. */
  readonly samples: {
    isWhole: boolean
    link: { ok: boolean; failures: number; answeredAt: number }
    changed: ProcessReport[]
    state?: SpaceState
  }[]
  stop(): void
}

async function watch(dashboard: Dashboard): Promise<Watch> {
  const stopped = new AbortController()
  const request = new Request('http://inside/api/v1/events', { headers: { host: HOST }, signal: stopped.signal })
  const response = await dashboard.fetch(request, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const samples: Watch['samples'] = []
  let text = ''
  const read = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += value
      const events = text.split('\n\n')
      text = events.pop()!
      const data = events.filter((event) => event.startsWith('data: '))
      samples.push(...data.map((event) => JSON.parse(event.slice('data: '.length))))
    }
  }
  read().catch(() => {})
  return {
    samples,
    stop: () => {
      stopped.abort()
      void reader.cancel()
    },
  }
}

const SECONDS = 2

/** Calls a second of a space without a dashboard: its beats. */
async function callsOfBeats(): Promise<number> {
  const [before, from] = [await functionCalls(redis), performance.now()]
  await until(async () => (await functionCalls(redis)) - before >= BEATS, 'it beats')
  return (BEATS / (performance.now() - from)) * 1_000
}

const BEATS = 6

/** Calls a second while samples come to each of the watchers. */
async function callsWith(dashboard: Dashboard, watchers: number): Promise<number> {
  const watches = await Promise.all(Array.from({ length: watchers }, () => watch(dashboard)))
  const last = watches.at(-1)!
  await until(() => last.samples.length >= 2, 'samples come')
  const [before, from] = [await functionCalls(redis), last.samples.length]
  await until(() => last.samples.length >= from + SECONDS, 'more samples come')
  const spent = (await functionCalls(redis)) - before
  for (const each of watches) each.stop()
  return spent / SECONDS
}

test('one watcher costs as much as twenty, with many processes, and at most three calls a second', async () => {
  const report = {
    host: 'h',
    pid: 1,
    roles: ['worker'],
    services: ['web'],
    tasks: [],
    release: '',
    version: '0',
    running: [],
  } as const
  // A hundred services: more than are asked for at a time.
  const reports = Array.from({ length: 200 }, (_, n) =>
    ProcessPresence({
      ...report,
      services: [`service-${n % 100}`],
      process: `p${n}`,
      startedAt: 0,
      capacity: 1,
      held: 0,
      oldestMs: 0,
      finished: 0,
      failed: 0,
      loopLagMs: 0,
      rssBytes: 0,
      state: 'running',
      at: 1,
    }),
  )
  const leases = await space.writeAll(reports)
  const beats = await callsOfBeats()
  const dashboard = createDashboard({ space })
  const few = await callsWith(dashboard, 1)
  const many = await callsWith(dashboard, 20)
  // One; the beats are not quite even.
  expect(few - beats).toBeLessThanOrEqual(3)
  expect(many - beats).toBeLessThanOrEqual(3)
  expect((await ask(dashboard, 'processes')).json.processes).toHaveLength(200)
  // Those that have ended are gone after the next pass.
  await space.cancelAll(leases.slice(1))
  await until(async () => (await ask(dashboard, 'processes')).json.processes.length === 1, 'they are gone')
  await space.cancelAll(leases.slice(0, 1))
  await dashboard.stop()
})

test('a process that is not a whole report harms nobody, and its change comes to watchers', async () => {
  const dashboard = createDashboard({ space })
  const watching = await watch(dashboard)
  const fields = { process: 'new', at: 5, host: '<b>' } as unknown as ProcessReport
  const lease = await space.write(ProcessPresence(fields))
  await until(
    () => watching.samples.some(({ changed }) => changed.some(({ process }) => process === 'new')),
    'it is told',
  )
  expect(watching.samples.at(-1)!.state!.store).toEqual({
    usedBytes: expect.any(Number),
    limitBytes: 0,
    policy: 'noeviction',
  })
  watching.stop()
  await lease.cancel()
  await dashboard.stop()
})

test('the rates of a service are those of all processes, each over its own time', async () => {
  const dashboard = createDashboard({ space })
  const watching = await watch(dashboard)
  const reportOf = (process: string, recentMs: number, finished: number, failed: number, ran: number[]) =>
    ProcessPresence({
      process,
      at: 1_000,
      roles: ['worker'],
      services: ['web', 'mail'],
      recentMs,
      served: [
        { service: 'web', held: 1, capacity: 3, free: 4, finished, failed, waited: [finished], ran },
        { service: 'mail', held: 0, capacity: 2, free: 4, finished: 0, failed: 0, waited: [], ran: [] },
      ],
    } as unknown as ProcessReport)
  const malformed = ProcessPresence({
    process: 'bad',
    at: 1,
    services: ['web'],
    served: [{}],
  } as unknown as ProcessReport)
  const leases = await space.writeAll([
    // Up to 1 ms, 2.5 ms, 5 ms: 95 of 100 are within the third.
    reportOf('one', 10_000, 80, 8, [50, 30]),
    reportOf('two', 5_000, 20, 0, [0, 0, 20]),
    malformed,
  ])
  const services = () => watching.samples.at(-1)?.state?.services ?? []
  await until(() => services().some(({ perSecond }) => perSecond === 12), 'both are counted')
  const slots = { workers: 2, withRoom: 2, held: 2, capacity: 6 }
  expect(services().find(({ name }) => name === 'web')).toMatchObject({
    ...slots,
    ...{ perSecond: 12, failedPerSecond: 0.8, errorShare: 0.067, waitP95Ms: 0.95, runP95Ms: 4.375 },
  })
  // A free slot of both services is counted once.
  const none = { perSecond: 0, failedPerSecond: 0, errorShare: 0, waitP95Ms: 0, runP95Ms: 0 }
  expect(services().find(({ name }) => name === 'mail')).toMatchObject({ ...slots, held: 0, capacity: 4, ...none })
  watching.stop()
  await space.cancelAll(leases)
  await dashboard.stop()
})

test('a stream ends after its time, so that its user is asked for again', async () => {
  const watchers = new Watchers(() => ({ all: true }), 50)
  const response = watchers.open(new AbortController().signal)
  const ended = response.text()
  await until(() => {
    watchers.tell({ more: true })
    return watchers.size === 0
  }, 'it has ended')
  expect(await ended).toMatch(/^retry: 250\n\ndata: \{"all":true\}\n\n/)
})

test('a hundred watch, the next one is refused', async () => {
  const dashboard = createDashboard({ space })
  const watches = await Promise.all(Array.from({ length: 100 }, () => watch(dashboard)))
  expect((await ask(dashboard, 'events')).json.rule).toBe('watchers')
  for (const each of watches) each.stop()
  await dashboard.stop()
})

test('while Redis is away the page says since when, and it comes back by itself', async () => {
  const dashboard = createDashboard({ space })
  const watching = await watch(dashboard)
  const last = () => watching.samples.at(-1)!
  await until(() => watching.samples.length > 1 && last().link.ok, 'it is there')
  await redis.kill()
  await until(() => !last().link.ok && last().link.failures > 1, 'it is told')
  expect(last().link.answeredAt).toBeGreaterThan(0)
  expect((await ask(dashboard, 'state')).status).toBe(503)
  expect((await ask(dashboard, '/')).status).toBe(200)
  await redis.restart()
  await until(() => last().link.ok, 'it is back')
  watching.stop()
  await dashboard.stop()
})

failOnLeaks()
