/** Promises 4 and 10: Redis is silent for longer than its clients have patience, and its connections stay open. Everybody is told in time. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { readExposition } from '../support/exposition.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, LEASE_MS } from './form.js'
import { startMixed } from './mixed.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

const SILENT_MS = form(6_000, 60_000)
const TIMEOUT_MS = 4_000
/** A busy machine is given as much more. */
const SLACK_MS = form(1_500, 500)
const READY_WITHIN_MS = form(LEASE_MS, 3_500)

let redis: Redis
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  redis.resume()
  await system?.destroy()
})
afterAll(() => redis.stop())

/** For how long a process stood still since this was last asked, as itself has measured: what it should have done meanwhile cannot be earlier. */
async function stoodStillMs(admin: string): Promise<number> {
  const metrics = readExposition(await (await fetch(`${admin}/metrics`)).text())
  return 1_000 * (metrics.get('nodejs_eventloop_lag_max_seconds') as number)
}

test(
  'it is not ready within 3 s, each request ends by its deadline, and all is well within 3 s of its return',
  async () => {
    const running = await startSystem(redis, {
      processes: 2,
      gatewayFlags: ['--timeout-ms', String(TIMEOUT_MS), '--admin-port', '0'],
      workerFlags: ['--admin-port', '0'],
    })
    system = running
    const admins = await Promise.all(
      [...running.gateways, running.supervisor].map(
        async (process) => (await process.line(/"adminUrl":"([^"]+)"/))[1] as string,
      ),
    )
    const isReady = async (url: string): Promise<boolean> =>
      (await fetch(`${url}/readyz`, { headers: { connection: 'close' } })).status === 200
    const ms = async (since: number, admin: string, ready: boolean): Promise<number> => {
      await until(async () => (await isReady(admin)) === ready, `it is ${ready ? '' : 'not '}ready`)
      return performance.now() - since
    }
    const load = startMixed(running)
    await until(() => load.answered >= 50, 'requests are answered')
    await until(async () => (await Promise.all(admins.map(isReady))).every(Boolean), 'all are ready')

    const own = monitorEventLoopDelay()
    own.enable()
    await stoodStillMs(admins[0]!)
    const silentSince = performance.now()
    redis.pause()
    const unready = await Promise.all(admins.map((admin) => ms(silentSince, admin, false)))
    await until(() => performance.now() - silentSince > SILENT_MS, 'it has been silent', SILENT_MS + 1_000)
    const stuck = load.sent - load.answered
    const backSince = performance.now()
    redis.resume()
    const ready = await Promise.all(admins.map((admin) => ms(backSince, admin, true)))
    await until(async () => (await fetch(`${running.urls[0]}/now`)).status === 200, 'requests are answered again')
    const backMs = performance.now() - backSince

    const answers = await load.stop()
    own.disable()
    const latestMs = TIMEOUT_MS + SLACK_MS + own.max / 1e6 + (await stoodStillMs(admins[0]!))
    const verdict = verdictOf(answers, running.runs())
    const failed = answers.filter(({ status }) => status !== 200)
    const round = (list: readonly number[]): number => Math.round(Math.max(...list))
    const told = `not ready after ${round(unready)} ms, ready ${round(ready)} ms and serving ${round([backMs])} ms after its return`
    tell(`Redis frozen for ${SILENT_MS / 1_000} s`, verdict, told)
    expect(failed.filter(({ status }) => ![502, 503, 504].includes(status))).toEqual([])
    // The fault hit: some had to be told, and some were waiting when it came back.
    expect(failed.length).toBeGreaterThan(0)
    expect(stuck).toBeGreaterThan(0)
    expect(answers.filter(({ ms }) => !(ms < latestMs))).toEqual([])
    expect(Math.max(...unready)).toBeLessThan(READY_WITHIN_MS)
    expect(Math.max(...ready, backMs)).toBeLessThan(READY_WITHIN_MS)
    expect(running.readied).toBe(2)
    await running.drain()
  },
  60_000 + SILENT_MS,
)

failOnLeaks()
