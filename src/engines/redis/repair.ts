/** The repair of a space: foreign keys are put aside, indexes and queues made anew from entries and processes. */
import type { Repaired } from '../../engine.js'
import { KEYS } from './key-names.js'
import { type Keys, keysOf } from './keys.js'
import { partsOf } from './partition-count.js'
import { keysUnder } from './scan.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Commands } from './wire/commands.js'
import { lookAt } from './wire/look.js'

/** How long a key that was put aside is kept. */
const ASIDE_MS = 7 * 24 * 60 * 60 * 1000
const ASIDE = 'aside:'
const TIMEOUT_MS = 5_000

/** Compares all entries with their indexes, and has all processes register their waits anew. */
export async function repair(batches: Batches): Promise<Repaired> {
  const sum = { entries: 0, restored: 0, damaged: 0, unsure: 0 }
  let cursor = '0'
  do {
    const { values } = await ask(batches, 'repair', { cursor }, { repeatable: true })
    const counts = values[1]!.toString('latin1').split(' ').map(Number)
    const [entries = 0, restored = 0, damaged = 0, unsure = 0] = counts
    sum.entries += entries
    sum.restored += restored
    sum.damaged += damaged
    sum.unsure += unsure
    cursor = values[0]!.toString('latin1')
  } while (cursor !== '0')
  await ask(batches, 'renewWaits', {}, { repeatable: true })
  return sum
}

/**
 * Renames the keys of a space whose type is not that of their name. Works on any data, so it comes before a process
 * joins. Returns their names; they are kept for a week.
 */
export async function putAside(url: string, space: string): Promise<string[]> {
  const parts = await partsOf(url, space, TIMEOUT_MS)
  return (await Promise.all(parts.map((part) => putAsideIn(url, keysOf(space, part))))).flat()
}

function putAsideIn(url: string, { prefix, counters }: Keys): Promise<string[]> {
  return lookAt(url, TIMEOUT_MS, counters, async (redis) => {
    const found: string[] = []
    for await (const key of keysUnder(redis, prefix)) {
      if (await isForeign(redis, key.slice(prefix.length), key)) found.push(key)
    }
    for (const key of found) {
      const aside = `${prefix}${ASIDE}${key.slice(prefix.length)}`
      await redis.call('RENAME', key, aside)
      await redis.call('PEXPIRE', aside, String(ASIDE_MS))
    }
    return found
  })
}

async function isForeign(redis: Commands, name: string, key: string): Promise<boolean> {
  if (name.startsWith(ASIDE)) return false
  const known = Object.values(KEYS).find((each) => ('of' in each ? name.startsWith(each.name) : name === each.name))
  if (!known) return false
  const type = await redis.call('TYPE', key)
  return type !== known.type && type !== 'none'
}
