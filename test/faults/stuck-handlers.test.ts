/** Handlers that block, never end, leak or exit: what the other requests feel of it, beside what they feel when nothing is wrong. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Answer, startLoad } from '../support/load.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, isLong, LONG_SECONDS, report } from './form.js'
import { startTroubled, type Troubled } from './troubled.js'

const BEFORE_MS = form(1_000, LONG_SECONDS * 500)
const DURING_MS = form(3_000, LONG_SECONDS * 1_000)

const FLAGS = ['--processes', '4', '--concurrency', '8', '--max-memory', '300', '--blocked-timeout-ms', '1500']

let redis: Redis
let system: Troubled | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(() => system?.destroy())
afterAll(() => redis.stop())

const p99 = (answers: readonly Answer[]): number => {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0
}

/** 200 requests a second of 10 ms each, for that long. */
async function others(url: string, forMs: number): Promise<readonly Answer[]> {
  const load = startLoad(url, { perSecond: 200, method: 'GET', path: (n) => `/${n}` })
  await pause(forMs)
  return load.stop()
}

/** Handlers that ran on after their requests were over, in all processes. */
async function strayedIn(running: Troubled): Promise<number> {
  const series = [...(await running.series())].filter(([name]) => name.startsWith('takespace_overrun_handlers_total'))
  return series.reduce((sum, [, n]) => sum + n, 0)
}

interface Trouble {
  readonly what: string
  readonly path: string
  readonly perSecond: number
  readonly times: number
  /** Of all requests. */
  readonly timeoutMs: number
  /** Why processes are replaced then, if they are. */
  readonly replaced: string | undefined
}

/** All of the long form: test/whole/cli-stuck.test.ts has them under load, too. */
const TROUBLES: readonly Trouble[] = [
  { what: 'an endless loop', path: '/spin', perSecond: 1, times: 1, timeoutMs: 30_000, replaced: 'blocked' },
  // Each holds a slot until its deadline, and then for a second of grace: 20 of 32.
  { what: 'handlers that never end', path: '/never', perSecond: 10, times: 60, timeoutMs: 1_000, replaced: undefined },
  { what: 'a leak of 1 GB', path: '/leak', perSecond: 15, times: 50, timeoutMs: 30_000, replaced: 'memory' },
  { what: 'process.exit()', path: '/exit', perSecond: 1, times: 1, timeoutMs: 30_000, replaced: 'exit' },
]

const longTest = isLong ? test : test.skip

longTest.each(TROUBLES)(
  '$what: no other request fails of it',
  async ({ what, path, perSecond, times, timeoutMs, replaced }) => {
    const running = await startTroubled(redis, replaced ?? 'overrun', FLAGS, timeoutMs)
    system = running
    // What is compiled on the way is not counted.
    await others(running.url, 1_000)
    const before = await others(running.url, BEFORE_MS)
    const trouble = startLoad(running.url, { perSecond, method: 'GET', path: () => path })
    const feeling = others(running.url, DURING_MS)
    await until(() => trouble.sent >= times, 'all of the trouble is made')
    // On a busy machine the deadlines of many pass before a worker takes them; these are not run.
    if (!replaced) await until(async () => (await strayedIn(running)) > 0, 'handlers are counted')
    const troubled = trouble.stop()
    const during = await feeling
    const failed = during.filter(({ status }) => status !== 200)
    report(what, {
      'p99 before ms': Math.round(p99(before) * 10) / 10,
      'p99 during ms': Math.round(p99(during) * 10) / 10,
      ratio: Math.round((p99(during) / p99(before)) * 10) / 10,
      'longest ms': Math.round(Math.max(...during.map(({ ms }) => ms))),
      requests: during.length,
      failed: failed.length,
      replaced: replaced ? await running.replaced(replaced) : 0,
      strayed: await strayedIn(running),
      'answered so': [...new Set((await troubled).map(({ status }) => status))].join(' '),
    })
    expect(failed).toEqual([])
    if (replaced) expect(await running.replaced(replaced)).toBeGreaterThan(0)
    await running.end()
  },
  180_000,
)

failOnLeaks()
