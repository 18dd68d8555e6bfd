/** Promises 2 and 3 do not hang on the wall clock: that of Redis, of the gateway or of the workers is stepped, and it costs time at most. */
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { type SteppedClock, steppedClock } from '../support/clock.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, isLong } from './form.js'
import { startMixed } from './mixed.js'
import { hold, OK, outcomeOf, send } from './requests.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

const HOUR_MS = 3_600_000
const TEN_MINUTES_MS = 600_000
/** Of a session, and of what a frozen process holds. */
const LEASE_MS = 15_000

const onLinux = process.platform === 'linux' ? test : test.skip
const onLinuxLong = process.platform === 'linux' && isLong ? test : test.skip

let redis: Redis
let redisClock: SteppedClock
let gatewayClock: SteppedClock
let workerClock: SteppedClock
let system: System | undefined
beforeAll(async () => {
  if (process.platform !== 'linux') return
  redisClock = steppedClock()
  gatewayClock = steppedClock()
  workerClock = steppedClock()
  redis = await startRedis({ appendonly: true, env: redisClock.env })
})
afterEach(async () => {
  await system?.destroy()
  for (const clock of [redisClock, gatewayClock, workerClock]) clock?.step(0)
})
afterAll(async () => {
  await redis?.stop()
  for (const clock of [redisClock, gatewayClock, workerClock]) clock?.remove()
})

/** What Redis says that the time is, against the true one, in ms. */
const redisIsOff = async (): Promise<number> => {
  const [seconds, micros] = (await redis.cli('TIME')).split('\n').map(Number)
  return (seconds as number) * 1_000 + (micros as number) / 1_000 - Date.now()
}

const steady = (ms: number) => (): number => ms
const wobbling =
  (ms: number) =>
  (round: number): number =>
    round % 2 ? -ms : ms

interface Steps {
  readonly what: string
  /** Of whom, and by how much in each round. */
  readonly redisBy?: (round: number) => number
  readonly gatewayBy?: (round: number) => number
  readonly workerBy?: (round: number) => number
  readonly rounds: number
}

const STEPS: readonly Steps[] = [
  // In the short form these are steps of the next one.
  ...form<Steps[]>(
    [],
    [
      { what: 'Redis’ clock + 1 h', redisBy: steady(HOUR_MS), rounds: 1 },
      { what: 'Redis’ clock − 1 h', redisBy: steady(-HOUR_MS), rounds: 1 },
    ],
  ),
  { what: 'Redis’ clock + 1 h and back', redisBy: (round) => (round % 2 ? 0 : HOUR_MS), rounds: form(2, 10) },
  ...form<Steps[]>([], [{ what: 'Redis’ clock ± 3 s', redisBy: wobbling(3_000), rounds: 20 }]),
  {
    what: 'clocks of gateway and workers ± 10 min',
    gatewayBy: wobbling(TEN_MINUTES_MS),
    workerBy: wobbling(-TEN_MINUTES_MS),
    rounds: form(2, 10),
  },
]

onLinux.each(STEPS)(
  '$what: each request is answered once, and what a dead worker held is done by another',
  async ({ what, redisBy, gatewayBy, workerBy, rounds }) => {
    const running = await startSystem(redis, { processes: 3, gatewayEnv: gatewayClock.env, env: workerClock.env })
    system = running
    const load = startMixed(running, { workMs: 150 })
    const answered = (url: string): boolean => load.gets.answers.some((answer) => answer.url === url)
    // One that has nothing to hand over would show nothing.
    const hasGet = (pids: readonly number[]): number[] => {
      const open = running.runs().filter(({ url, ended }) => ended === undefined && url.startsWith('/get'))
      return pids.filter((each) => open.some(({ pid }) => pid === each))
    }
    const off: number[] = []
    const recoveredMs: number[] = []
    let lost = 0
    const step = async (round: number): Promise<void> => {
      if (redisBy) redisClock.step(redisBy(round))
      if (gatewayBy) gatewayClock.step(gatewayBy(round))
      if (workerBy) workerClock.step(workerBy(round))
      // The fault hit: who looks at the clock sees it.
      if (redisBy) expect(Math.abs((await redisIsOff()) - redisBy(round))).toBeLessThan(2_500)
      if (workerBy) {
        const seen = running.runs().length
        await until(() => running.runs().length > seen + 10, 'handlers run')
        expect(Math.abs(running.runs().at(-1)!.begun - Date.now() - workerBy(round))).toBeLessThan(60_000)
      }
      off.push(redisBy?.(round) ?? workerBy?.(round) ?? 0)
    }
    for (let round = 0; round < rounds; round++) {
      const enough = load.answered + 30
      await until(() => load.answered >= enough, 'requests are answered')
      await step(round)
      const pid = await running.strike('SIGKILL', hasGet)
      const since = performance.now()
      const dead = running.runs().filter((run) => run.pid === pid && run.ended === undefined)
      const held = dead.filter(({ url }) => url.startsWith('/get'))
      lost += dead.length - held.length
      const inTime = 2 * LEASE_MS + 5_000
      await until(() => held.every(({ url }) => answered(url)), 'what it held is done by another', inTime)
      if (held.length > 0) recoveredMs.push(performance.now() - since)
      // A clock goes on for a while before its next step.
      await pause(700)
    }
    const answers = await load.stop()
    const verdict = verdictOf(answers, running.runs())
    const most = Math.round(Math.max(0, ...recoveredMs))
    tell(
      `${what}`,
      verdict,
      `${off.length} steps; ${recoveredMs.length} kills hit, dead work done again within ${most} ms`,
    )
    // The kills hit, too.
    expect(recoveredMs.length).toBeGreaterThanOrEqual(rounds / 2)
    // Of POSTs that died with their worker their clients are told; all else is answered.
    const failed = answers.filter(({ status }) => status !== 200)
    expect(failed.filter(({ status, text }) => status !== 502 || !text.includes('WORKER_LOST'))).toEqual([])
    // Killed between its start and the first line of its handler, or between its last line and the answer.
    expect(failed.length).toBeLessThanOrEqual(lost + rounds * 3)
    await running.drain()
  },
  180_000,
)

onLinuxLong.each([
  { what: 'Redis’ clock + 1 h', by: HOUR_MS },
  { what: 'Redis’ clock − 1 h', by: -HOUR_MS },
])(
  '$what: what a frozen process holds is given to another within twice the lease and 5 s',
  async ({ what, by }) => {
    const space = await openSpace(redis.url)
    const sleeper = startProcess([fileURLToPath(new URL('children/holder.js', import.meta.url)), redis.url, '1'])
    await sleeper.line(/ready/)
    const answer = outcomeOf(send(space, '/frozen', { repeatable: true }))
    await sleeper.line(/holds/)
    const other = await hold(space, 1)
    const since = performance.now()
    sleeper.kill('SIGSTOP')
    redisClock.step(by)
    await until(() => other.held.length === 1, 'another worker has it', 2 * LEASE_MS + 5_000)
    const ms = performance.now() - since
    sleeper.kill('SIGCONT')
    sleeper.kill('SIGUSR2')
    await sleeper.line(/accepted false/)
    expect(await other.held[0]?.complete(OK)).toBe(true)
    expect(await answer).toBe('200')
    tell(
      `${what}, a frozen worker`,
      { requests: 1, failed: 0, twice: 1, longestMs: ms, statuses: {} },
      '1 frozen while it held work, its late answer refused',
    )
    await other.stop()
    sleeper.kill('SIGTERM')
    await sleeper.exited
    await space.close()
    await nothingIsLeft(redis)
  },
  90_000,
)

failOnLeaks()
