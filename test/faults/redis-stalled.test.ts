/** Promises 4 and 8: Redis does not answer for three seconds and goes on as if nothing had been. It costs time and nothing else. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { command } from '../support/resp.js'
import { until } from '../support/until.js'
import { form, isLong, LEASE_MS } from './form.js'
import { startMixed } from './mixed.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

/** Less than half of the lease of a session. */
const STALL_MS = 3_000
const TIMES = form(1, 5)

let redis: Redis
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, args: ['--enable-debug-command', 'yes'] })
})
afterEach(() => system?.destroy())
afterAll(() => redis.stop())

/** The short form has the one that stops everything; in `redis-killed.test.ts` Redis is frozen. */
const STALLS = [
  { what: 'CLIENT PAUSE ALL', words: ['CLIENT', 'PAUSE', String(STALL_MS), 'ALL'] },
  { what: 'CLIENT PAUSE WRITE', words: ['CLIENT', 'PAUSE', String(STALL_MS), 'WRITE'] },
  { what: 'DEBUG SLEEP', words: ['DEBUG', 'SLEEP', String(STALL_MS / 1_000)] },
]

test.each(STALLS.filter(({ what }) => isLong || what === 'CLIENT PAUSE ALL'))(
  '$what of 3 s: each request is answered, and none is run twice',
  async ({ what, words }) => {
    const running = await startSystem(redis, { processes: 2 })
    system = running
    const load = startMixed(running)
    let waited = 0
    for (let i = 0; i < TIMES; i++) {
      const enough = load.answered + 50
      // What had piled up is worked off before it piles up again.
      await until(() => load.answered >= enough && load.sent - load.answered < 10, 'requests are answered')
      const since = performance.now()
      // DEBUG SLEEP answers when it has slept.
      const stalled = command(redis.port, words)
      await until(() => performance.now() - since > STALL_MS / 2, 'it has stood still for a while')
      const before = load.answered
      // The fault hit: they come and are not answered.
      await until(() => performance.now() - since > STALL_MS - 200, 'it has stood still for longer')
      expect(load.answered).toBe(before)
      waited += load.sent - load.answered
      await stalled
      await until(() => load.answered > before, 'requests are answered again')
    }
    const verdict = verdictOf(await load.stop(), running.runs())
    tell(`${what} of 3 s, ${TIMES} times`, verdict, `${waited} requests waited`)
    expect(waited).toBeGreaterThan(TIMES * 50)
    expect(verdict.failed).toBe(0)
    expect(verdict.longestMs).toBeLessThan(STALL_MS + form(LEASE_MS, 1_000))
    expect(verdict.twice).toBe(0)
    expect(running.readied).toBe(2)
    await running.drain()
  },
  120_000,
)

failOnLeaks()
