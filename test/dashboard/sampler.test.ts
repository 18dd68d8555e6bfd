/** The sampler on a real Redis: what it costs whoever watches, and what it shows while Redis is away. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ProcessPresence, type ProcessReport } from '../../src/control/kinds.js'
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
    rates: { finished: number; failed: number }
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
  watching.stop()
  await lease.cancel()
  await dashboard.stop()
})

test('the rate is what workers have finished between two reports', async () => {
  const dashboard = createDashboard({ space })
  const watching = await watch(dashboard)
  const reportOf = (at: number, finished: number, failed: number) =>
    ProcessPresence({
      process: 'counting',
      at,
      finished,
      failed,
      roles: ['worker'],
      services: [],
    } as unknown as ProcessReport)
  await until(() => watching.samples.length > 1, 'it is registered')
  const first = await space.write(reportOf(1_000, 10, 0))
  await until(() => watching.samples.some(({ changed }) => changed.some(({ at }) => at === 1_000)), 'it is told')
  const second = await space.write(reportOf(3_000, 110, 10))
  await until(() => watching.samples.at(-1)?.rates.finished === 50, 'it is a rate')
  expect(watching.samples.at(-1)!.rates).toEqual({ finished: 50, failed: 5 })
  watching.stop()
  await space.cancelAll([first, second])
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
