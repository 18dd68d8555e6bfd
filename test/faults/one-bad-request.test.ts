/** Promise 5: a request that crashes its worker, or a worker that dies with all that it holds, costs the others nothing. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, report, spread } from './form.js'
import { testInLongForm } from './long-form.js'
import { type System, startSystem } from './system.js'

const CRASHES = form(2, 60)

let redis: Redis
const systems: System[] = []
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.destroy()))
  await redis.cli('FLUSHALL')
})
afterAll(() => redis.stop())

const start = async (options: Parameters<typeof startSystem>[1]): Promise<System> => {
  const system = await startSystem(redis, options)
  systems.push(system)
  return system
}

// The short form has `test/whole/cli-crash.test.ts`.
testInLongForm(
  `${CRASHES} requests whose handlers throw, one each second: each is answered 500, and no POST beside them fails`,
  async () => {
    const running = await start({ processes: 3 })
    const load = startLoad(running.url, { perSecond: 100, method: 'POST', path: (n) => `/${n}` })
    await until(() => load.answers.length > 0, 'the first request is answered')
    const crashes: { status: number; ms: number }[] = []
    for (let n = 0; n < CRASHES; n++) {
      const since = performance.now()
      const { status } = await fetch(`${running.url}/crash/${n}?crash&ms=10`)
      crashes.push({ status, ms: performance.now() - since })
      await pause(1_000)
    }
    const answers = await load.stop()
    const failed = answers.filter(({ status }) => status !== 200)
    const runs = running.runs()
    const crashed = runs.filter(({ url }) => url.startsWith('/crash/'))
    report('GET /crash each second beside 100 POST/s on 3 workers', {
      posts: answers.length,
      failed: failed.length,
      'run twice': runs.length - crashed.length - answers.length,
      crashes: crashes.length,
      'processes that ended': running.readied - 3,
      'POST p50 ms': spread(answers.map(({ ms }) => ms)).median,
      'longest ms': spread(answers.map(({ ms }) => ms)).most,
      'crash answered after, longest ms': spread(crashes.map(({ ms }) => ms)).most,
    })
    expect(failed).toEqual([])
    expect(crashes.map(({ status }) => status)).toEqual(crashes.map(() => 500))
    expect(runs).toHaveLength(answers.length + crashes.length)
    // The fault hit: it costs a process each time.
    await until(() => running.readied === 3 + CRASHES, 'each was replaced')
    await running.drain()
  },
  form(60_000, 180_000),
)

testInLongForm(
  'a killed worker with 16 GETs, 4 others: all are answered, within twice the time without the kill',
  async () => {
    const GETS = 16
    const WORK_MS = form(1_500, 3_000)
    // With most room, it is handed all of them.
    const victim = await start({ processes: 1, concurrency: 64 })
    await start({ processes: 4 })
    const pid = victim.workers()[0]!
    const ask = async (round: string): Promise<number> => {
      const since = performance.now()
      const asked = Array.from({ length: GETS }, (_, n) => fetch(`${victim.url}/${round}/${n}?ms=${WORK_MS}`))
      if (round === 'killed') {
        const running = (): number => victim.runs().filter(({ ended }) => ended === undefined).length
        await until(() => running() === GETS, 'it holds them all')
        process.kill(pid, 'SIGKILL')
      }
      const answers = await Promise.all(asked)
      const ms = performance.now() - since
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      // Each answer has the process that gave it.
      const by = new Set(await Promise.all(answers.map((answer) => answer.text())))
      expect(by.has(String(pid))).toBe(round !== 'killed')
      return ms
    }
    const [undisturbed, killed] = [await ask('undisturbed'), await ask('killed')]
    report('a killed worker with 16 GETs, 4 others', {
      'work of each, ms': WORK_MS,
      'without the kill, ms': Math.round(undisturbed),
      'with it, ms': Math.round(killed),
      ratio: Math.round((killed / undisturbed) * 100) / 100,
    })
    expect(killed / undisturbed).toBeLessThan(form(Number.POSITIVE_INFINITY, 2))
  },
)

failOnLeaks()
