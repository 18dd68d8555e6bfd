/** Promises 3 and 5: worker processes are killed under load, and no client loses its request, and nothing that may not runs twice. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Answer, type Load, startLoad } from '../support/load.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, isLong, LEASE_MS, LONG_SECONDS, report, spread } from './form.js'
import { testInLongForm } from './long-form.js'
import { type System, startSystem } from './system.js'

const SECONDS = form(3, LONG_SECONDS)
const PER_SECOND = form(120, 200)
const STRIKE_EVERY_MS = form(1_000, 2_000)
/** So much longer it goes on striking until enough of it has hit. */
const MOST_MS = 20_000
const LONGEST_WAIT_MS = form(LEASE_MS, 1_000)
/** When a gateway answers itself. */
const DEADLINE_MS = 30_000

let redis: Redis
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(() => system?.destroy())
afterAll(() => redis.stop())

interface Strike {
  readonly pid: number
  readonly at: number
}

/** So many requests a second while worker processes are struck one after the other. */
async function run(method: string, signal: NodeJS.Signals): Promise<{ answers: readonly Answer[]; strikes: Strike[] }> {
  const running = await startSystem(redis, { processes: 3 })
  system = running
  const load = startLoad(running.url, { perSecond: PER_SECOND, method, path: (n) => `/${n}` })
  await until(() => load.answers.length > 0, 'the first request is answered')
  const strikes: Strike[] = []
  // One that is idle would show nothing.
  const atWork = (pids: readonly number[]): number[] => {
    const busy = running.busy()
    return pids.filter((pid) => busy.includes(pid))
  }
  const end = performance.now() + SECONDS * 1_000
  // A run whose faults did not hit would show nothing.
  const hits = (): number => strikes.filter((strike) => struckBy(running, strike).length > 0).length
  const enough = (): boolean => signal !== 'SIGKILL' || hits() >= Math.ceil(strikes.length / 2)
  for (;;) {
    await pause(STRIKE_EVERY_MS)
    if (performance.now() >= end && (enough() || performance.now() >= end + MOST_MS)) break
    const pid = await running.strike(signal, atWork)
    strikes.push({ pid, at: Date.now() })
  }
  return { answers: await load.stop(), strikes }
}

const waits = (answers: readonly Answer[]) => spread(answers.map(({ ms }) => ms))
const without = (answers: readonly Answer[], ...statuses: number[]) =>
  answers.filter(({ status }) => !statuses.includes(status))

/** How often each request was run. */
function timesRun(running: System): Map<string, number> {
  const times = new Map<string, number>()
  for (const { url } of running.runs()) times.set(url, (times.get(url) ?? 0) + 1)
  return times
}

/** The requests whose handler died with its process, by strike. */
const struckBy = (running: System, { pid }: Strike): string[] =>
  running
    .runs()
    .filter((r) => r.pid === pid && r.ended === undefined)
    .map(({ url }) => url)

test('kill -9 of worker processes costs no GET: each is answered 200, within its time', async () => {
  const { answers, strikes } = await run('GET', 'SIGKILL')
  const running = system as System
  const hits = strikes.filter((strike) => struckBy(running, strike).length > 0)
  const { most, median } = waits(answers)
  const again = [...timesRun(running).values()].filter((times) => times > 1).length
  report('kill -9, GET', {
    requests: answers.length,
    failed: without(answers, 200).length,
    kills: strikes.length,
    'of a busy worker': hits.length,
    'run again': again,
    'wait p50 ms': median,
    'longest ms': most,
  })
  expect(without(answers, 200)).toEqual([])
  expect(hits.length).toBeGreaterThanOrEqual(Math.ceil(strikes.length / 2))
  expect(most).toBeLessThan(LONGEST_WAIT_MS)
  await running.drain()
})

test('kill -9 of worker processes runs no POST twice: 502 if its worker had started it, else 200', async () => {
  const { answers, strikes } = await run('POST', 'SIGKILL')
  const running = system as System
  const times = timesRun(running)
  const dead = new Set(strikes.flatMap((strike) => struckBy(running, strike)))
  const hits = strikes.filter((strike) => struckBy(running, strike).length > 0)
  const refused = answers.filter(({ status }) => status === 502)
  const { most, median } = waits(answers)
  // Killed between its start and the first line of its handler, or between its last line and the answer.
  const edges = refused.filter(({ url }) => !dead.has(url))
  report('kill -9, POST', {
    requests: answers.length,
    '502': refused.length,
    'died with their worker': dead.size,
    'other failures': without(answers, 200, 502).length,
    kills: strikes.length,
    'of a busy worker': hits.length,
    'run twice': [...times.values()].filter((n) => n > 1).length,
    'wait p50 ms': median,
    'longest ms': most,
  })
  expect([...times].filter(([, n]) => n > 1)).toEqual([])
  expect(without(answers, 200, 502)).toEqual([])
  for (const { url, status, text } of answers) {
    if (status === 200) expect(times.get(url)).toBe(1)
    else expect(text).toMatch(/WORKER_LOST/)
    if (dead.has(url)) expect([url, status]).toEqual([url, 502])
  }
  // Such a one was run by no process that lived on.
  const struck = new Set(strikes.map(({ pid }) => pid))
  const edgeUrls = new Set(edges.map(({ url }) => url))
  expect(running.runs().filter(({ url, pid }) => edgeUrls.has(url) && !struck.has(pid))).toEqual([])
  expect(hits.length).toBeGreaterThanOrEqual(Math.ceil(strikes.length / 2))
  expect(most).toBeLessThan(LONGEST_WAIT_MS)
  await running.drain()
})

// The short form has `test/whole/cli-workers.test.ts`, and `--max-requests` in `test/whole/cli-wear.test.ts`.
testInLongForm('SIGTERM of worker processes costs nothing: each POST is run once and answered 200', async () => {
  const { answers, strikes } = await run('POST', 'SIGTERM')
  const running = system as System
  const times = timesRun(running)
  // The fault hit: it had begun a request before the signal and ended it after.
  const busy = strikes.filter(({ pid, at }) =>
    running.runs().some((r) => r.pid === pid && r.begun < at && (r.ended === undefined || r.ended > at)),
  )
  const { most, median } = waits(answers)
  report('SIGTERM, POST', {
    requests: answers.length,
    failed: without(answers, 200).length,
    signals: strikes.length,
    'to a busy worker': busy.length,
    'run twice': [...times.values()].filter((n) => n > 1).length,
    'wait p50 ms': median,
    'longest ms': most,
  })
  expect(without(answers, 200)).toEqual([])
  expect([...times].filter(([, n]) => n !== 1)).toEqual([])
  expect(times.size).toBe(answers.length)
  expect(busy.length).toBeGreaterThanOrEqual(Math.ceil(strikes.length / 2))
  expect(most).toBeLessThan(LONGEST_WAIT_MS)
  await running.drain()
})

/**
 * The rig of the reliability figures: two gateways, eight worker processes of four places, 250 requests a second, one kill each second
 * that strikes a worker which holds something. One request in five may not run twice. The short form has the tests above.
 */
const longTest = isLong ? test : test.skip

longTest(
  'a kill -9 each second, of a worker at work: nothing is lost or doubled, and hardly anything run again',
  async () => {
    const running = await startSystem(redis, { processes: 8, concurrency: 4, gateways: 2 })
    system = running
    const requests = form(1_000, 10_000)
    const ask = (method: string, share: number): Load =>
      startLoad(running.urls, {
        method,
        perSecond: 250 * share,
        most: requests * share,
        path: (n) => `/${method}/${n}?ms=20`,
      })
    const [gets, posts] = [ask('GET', 0.8), ask('POST', 0.2)]
    const pids: number[] = []
    const busy = (workers: readonly number[]): number[] => {
      const now = running.busy()
      return workers.filter((pid) => now.includes(pid))
    }
    for (;;) {
      await pause(1_000)
      if (gets.sent + posts.sent === requests) break
      pids.push(await running.strike('SIGKILL', busy))
    }
    const [got, posted] = [await gets.stop(), await posts.stop()]
    const answers = [...got, ...posted]
    const refused = without(posted, 200)
    const times = timesRun(running)
    const hits = pids.filter((pid) => struckBy(running, { pid, at: 0 }).length > 0)
    const again = running.runs().length - times.size
    // Who answered is in the answer, and has run it to its end.
    const ended = new Set(running.runs().flatMap(({ url, pid, ended }) => (ended === undefined ? [] : `${url} ${pid}`)))
    const invented = answers.filter(({ url, status, text }) => status === 200 && !ended.has(`${url} ${text}`))
    const twice = posted.filter(({ url }) => (times.get(url) ?? 0) > 1)
    const { most, median } = waits(answers)
    report('kill -9 each second, 2 gateways, 8 × 4 places', {
      requests: answers.length,
      'GET 200': got.length - without(got, 200).length,
      'POST 200': posted.length - refused.length,
      'POST 502': refused.filter(({ status }) => status === 502).length,
      lost: without(got, 200).length + without(refused, 502).length,
      'POST run twice': twice.length,
      executions: running.runs().length,
      'run again': again,
      kills: pids.length,
      'of a busy worker': hits.length,
      'wait p50 ms': median,
      'longest ms': most,
    })
    expect(answers.length).toBe(requests)
    expect(without(got, 200)).toEqual([])
    expect(without(refused, 502)).toEqual([])
    for (const { text } of refused) expect(text).toMatch(/WORKER_LOST/)
    expect(invented).toEqual([])
    expect(twice).toEqual([])
    expect(again).toBeLessThanOrEqual(requests * 0.02)
    expect(hits.length).toBeGreaterThanOrEqual(form(1, 20))
    // Two cores are short of time while eight processes start again one after the other.
    expect(most).toBeLessThan(DEADLINE_MS)
    // And nothing is left in Redis.
    await running.drain()
  },
)

failOnLeaks()
