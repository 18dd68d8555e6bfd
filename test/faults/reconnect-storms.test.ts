/** Promises 4 and 8: all connections of all processes are cut at once, again and again. Nothing is lost, nothing runs twice, nothing is late. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, isLong } from './form.js'
import { startMixed } from './mixed.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

const STORMS = form(3, 200)
const PROCESSES = 4
const CONCURRENCY = 8
/** For so long the space waits for a process whose connections are gone. */
const GRACE_MS = 250

let redis: Redis
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  await system?.destroy()
  await redis.cli('FLUSHALL')
})
afterAll(() => redis.stop())

/** How many processes hear pushes now. */
const subscribed = async (): Promise<number> =>
  (await redis.cli('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').filter((line) => line !== '').length

// Each process works over the connection that it hears pushes by, so `pubsub` cuts commands and pushes; `normal` is what large bodies take.
const CUTS = [
  { what: 'all connections', types: ['pubsub', 'normal'] },
  { what: 'only those that pushes come by', types: ['pubsub'] },
  { what: 'only those of large bodies', types: ['normal'] },
]

test.each(isLong ? CUTS : CUTS.slice(0, 1))(
  `${STORMS} times cut at once, $what: each request is answered in its time, and none runs twice that may not`,
  async ({ what, types }) => {
    const running = await startSystem(redis, { processes: PROCESSES, gateways: 2, concurrency: CONCURRENCY })
    system = running
    const load = startMixed(running, { perSecond: 100, large: true })
    await until(() => load.answered >= 50, 'requests are answered')
    let cut = 0
    let underWay = 0
    /** Times when a process needed longer to come back than the space waits for it, as on a busy machine. */
    let late = 0
    for (let i = 0; i < STORMS; i++) {
      // As many as have been sent: of three storms in a row that are late, a request would be given up.
      const enough = Math.max(load.sent, load.answered + 5)
      await until(() => load.answered >= enough, 'requests are answered')
      if (load.sent > load.answered) underWay++
      for (const type of types) cut += Number(await redis.cli('CLIENT', 'KILL', 'TYPE', type))
      const since = performance.now()
      // The supervisor is a process, too.
      await until(async () => (await subscribed()) === PROCESSES + 3, 'all are back')
      if (performance.now() - since > GRACE_MS) late++
    }
    const answers = await load.stop()
    const verdict = verdictOf(answers, running.runs())
    tell(`${what} cut, ${STORMS} times`, verdict, `${cut} connections, ${underWay} times while requests were under way`)
    // A process that needs more than GRACE_MS to come back is taken for dead: what it held and may be run again is, and of
    // the rest its client is told. Few do.
    const failed = answers.filter(({ status }) => status !== 200)
    expect(
      failed.filter(({ url, text }) => !url.startsWith('/post') || !/WORKER_LOST|OUTCOME_UNKNOWN/.test(text)),
    ).toEqual([])
    expect(failed.length + verdict.twice).toBeLessThan(answers.length / 20 + late * PROCESSES * CONCURRENCY)
    // Sooner than the lease of a process would have ended.
    expect(verdict.longestMs).toBeLessThan(form(15_000, 5_000))
    // The fault hit: on average at least every second process, each time; of the second connections there are fewer.
    expect(cut).toBeGreaterThanOrEqual(STORMS * (types.includes('pubsub') ? PROCESSES / 2 : 1))
    expect(underWay).toBeGreaterThan(STORMS / 2)
    expect(running.readied).toBe(PROCESSES)
    await running.drain()
  },
  form(60_000, 180_000),
)

failOnLeaks()
