/** The old partitions of a space that has moved to others on its Cluster: what is left of their keys is removed. */
import type { Access } from '../../engine/access.js'
import { KEYS } from './key-names.js'
import { type Keys, keysOf } from './keys.js'
import type { MoveEnd } from './next-partitions.js'
import { keysUnder } from './scan.js'
import { type LookingClient, lookAt } from './wire/look.js'

const TIMEOUT_MS = 60_000
/** How long what processes hold that still run with both addresses is kept, unless they end it before. */
const HELD_MS = 7 * 24 * 60 * 60 * 1000

/** They refuse a process that was cut off before the move, however late it comes back: about 200 bytes. */
const KEPT: ReadonlySet<string> = new Set([KEYS.counters.name, KEYS.move.name])
/** What a presence, its waits and its registrations have. */
const HELD = [
  KEYS.presences,
  KEYS.presence,
  KEYS.waits,
  KEYS.claims,
  KEYS.outcomes,
  KEYS.events,
  KEYS.queue,
  KEYS.conditions,
  KEYS.conditionCounts,
  KEYS.shapes,
  KEYS.shapeCounts,
  KEYS.ifExists,
  KEYS.registrations,
  KEYS.transactions,
] as const

const isHeld = (name: string): boolean =>
  HELD.some((key) => ('of' in key ? name.startsWith(key.name) : name === key.name))

/** Removes the keys of partitions that nothing is left in. */
export async function clearOld(url: string, space: string, { partitions }: MoveEnd, access: Access): Promise<void> {
  for (const partition of partitions) {
    const keys = keysOf(space, partition)
    // The key with the partitions of the space has the tag of a first single one.
    const known = [keysOf(space).partitions, keysOf(space).nextPartitions]
    await lookAt(url, TIMEOUT_MS, keys.counters, (client) => clear(client, keys, known), access)
  }
}

async function clear(client: LookingClient, { prefix }: Keys, known: readonly string[]): Promise<void> {
  for await (const key of keysUnder(client, prefix)) {
    const name = key.slice(prefix.length)
    if (KEPT.has(name) || known.includes(key)) continue
    if (isHeld(name)) await client.call('PEXPIRE', key, String(HELD_MS))
    else await client.call('UNLINK', key)
  }
}
