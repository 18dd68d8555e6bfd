/** Promises 1, 4 and 9 through failovers that an operator orders: blocked takers stand in the new primary's space, and no client gets a 500. */
import { afterEach, expect } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'
import { until } from '../support/until.js'
import { form, isLong, report, spread } from './form.js'
import { testInLongForm } from './long-form.js'
import { expectNothingLost, startWriters, tellOutcome, type Writers } from './writers.js'

const FAILOVERS = form(1, 10)
/** Less beside other tests: what a busy machine cannot answer waits for ever. */
const PER_SECOND = form(50, 250)
const REARMED_WITHIN_MS = 2_000
const TAKERS = 10
const Wanted = defineEntry<{ taker: number; round: number }>('Wanted')

let replicas: Replicas
let writers: Writers | undefined
const spaces: Space[] = []
afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()))
  await writers?.destroy()
  await replicas.stop()
})

const open = async (): Promise<Space> => {
  const space = await openSpace(replicas.url)
  spaces.push(space)
  return space
}

/** Again while the space is away, or if nobody knows: two entries do no harm here. */
async function insist<T>(operation: () => Promise<T>, onUnknown = (): void => {}): Promise<T> {
  for (;;) {
    try {
      return await operation()
    } catch (error) {
      if (isSpaceError(error, 'OUTCOME_UNKNOWN')) onUnknown()
      else if (!isSpaceError(error) || !error.retryable) throw error
    }
  }
}

// The replica that is not promoted confirms what the old primary accepts meanwhile.
// The short form has one: `test/connecting/sentinels.test.ts` and `sentinel.test.ts`.
testInLongForm(
  'failover after failover under load: blocked takers stand again within two seconds, nothing is lost, and no client gets a 500',
  async () => {
    replicas = await startReplicas({ appendonly: true })
    writers = await startWriters(replicas, { durability: 'replicated:1', perSecond: PER_SECOND })
    const [taking, writing] = [await open(), await open()]
    const over = new AbortController()
    const { signal } = over
    const seen = Array.from({ length: TAKERS }, () => -1)
    let unknown = 0
    const takers = seen.map(async (_, taker) => {
      while (seen[taker]! < FAILOVERS - 1) {
        const { round } = await insist(
          () => taking.take(Wanted.template({ taker }), { signal }),
          () => unknown++,
        )
        seen[taker] = Math.max(seen[taker]!, round)
      }
    })
    const servedAfterMs: number[] = []
    try {
      for (let round = 0; round < FAILOVERS; round++) {
        await writers.answered(PER_SECOND / 2)
        await replicas.failover()
        const promoted = performance.now()
        await Promise.all(seen.map((_, taker) => insist(() => writing.write(Wanted({ taker, round })))))
        await until(() => seen.every((got) => got >= round), 'each taker has its entry')
        servedAfterMs.push(performance.now() - promoted)
        await replicas.settled()
        await writers.caughtUp()
      }
      await Promise.all(takers)
    } finally {
      over.abort()
    }
    // Doubles of a write whose outcome was unknown.
    while (await writing.takeIfExists(Wanted));
    await Promise.all(spaces.splice(0).map((space) => space.close()))
    const outcome = await writers.finish()
    const { median, most } = spread(servedAfterMs)
    tellOutcome('failover by order, `replicated:1`', outcome, `${FAILOVERS} promoted`)
    report('takers served after a promotion, ms', { median, most, 'outcome unknown': unknown })
    expectNothingLost(outcome)
    if (isLong) expect(most).toBeLessThanOrEqual(REARMED_WITHIN_MS)
  },
)

failOnLeaks()
