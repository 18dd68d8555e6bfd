/** The end of a run: when the dead are buried, whatever is still there is taken, and then nothing is left in Redis. */
import { appendFileSync } from 'node:fs'
import { ordered } from '../../src/entry/ordered.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { isConstantKey } from '../support/constant-keys.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { microseconds, SPACE } from './run.js'

const Item = defineEntry<{ group: string; value: string; place: number }>('Item', {
  index: ['group', ordered('place')],
})
/** The counter of all updates. */
export const Tally = defineEntry<{ count: number }>('Tally', { index: [] })
const PATTERN = { kind: 'takespace.Request', root: 'takespace.Request', indexed: [], verified: [] }
const AT_ONCE = 64
/** For what the sweep has yet to come to. */
const EMPTY_MS = 4_000
/** Whose process died while Redis was away is buried when its lease ends (15 s). */
const BURIED_MS = 20_000

/** Answers what is left. What it takes is part of the history. */
export async function drain(redis: Redis, file: string): Promise<string[]> {
  const space = await openSpace(redis.url, { name: SPACE })
  const prefix = `{ts:${SPACE}}:`
  try {
    await until(async () => (await redis.cli('ZCARD', `${prefix}presences`)) === '1', 'the dead are buried', BURIED_MS)
    let taken = 0
    const takeOne = async (): Promise<boolean> => {
      const invoked = microseconds()
      const entry = await space.takeIfExists(Item)
      if (!entry) return false
      const op = `drain.${++taken}`
      const { group, value } = entry
      const lines = [
        { is: 'invoke', p: 'drain', op, what: 'take', at: invoked, group },
        { is: 'return', op, at: microseconds(), out: 'ok', value },
      ]
      appendFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      return true
    }
    while ((await Promise.all(Array.from({ length: AT_ONCE }, takeOne))).includes(true));
    const tally = await space.takeIfExists(Tally)
    const last = { is: 'event', p: 'drain', what: 'tally', at: microseconds(), count: tally?.count ?? -1 }
    appendFileSync(file, `${JSON.stringify(last)}\n`)
    // Requests of gateways that have died are removed when somebody looks for one.
    const offer = await space.engine.offer(PATTERN, 1, () => {})
    await offer.end()
  } finally {
    await space.close()
  }
  const left = async (): Promise<string[]> =>
    (await redis.cli('KEYS', '*')).split('\n').filter((key) => key !== '' && !isConstantKey(key))
  await until(async () => (await left()).length === 0, 'nothing is left in Redis', EMPTY_MS).catch(() => {})
  const keys = await left()
  const records = keys.includes(`${prefix}entries`) ? (await redis.cli('HGETALL', `${prefix}entries`)).split('\n') : []
  return [...keys, ...records.slice(0, 20)].map((what) => `left in Redis: ${what}`)
}
