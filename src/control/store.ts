/** The server under a space as operators see it: its memory, and what it does when that is full. */
import type { Space } from '../space.js'
import type { Need } from './rating.js'

/** The memory of a server; the fullest one if there are several. */
export interface StoreState {
  readonly usedBytes: number
  /** 0: no limit is set. */
  readonly limitBytes: number
  /** `noeviction`, as a space needs it, or the policy by which the server evicts entries. */
  readonly policy: string
}

/** Returns null in memory, and as long as it is not known. */
export async function storeOf(space: Space): Promise<StoreState | null> {
  const { memory, evicts = 'noeviction' } = await space.engine.health()
  return memory ? { ...memory, policy: evicts } : null
}

/** Fuller than this it needs somebody. */
const FULL_SHARE = 0.9

/** Returns what is wrong with the server. */
export function needsOfStore(store: StoreState | null): Need[] {
  if (!store) return []
  const { usedBytes, limitBytes, policy } = store
  const percent = Math.round((100 * usedBytes) / limitBytes)
  const isFull = limitBytes > 0 && usedBytes >= FULL_SHARE * limitBytes
  return [
    ...(policy === 'noeviction'
      ? []
      : [{ rating: 'bad' as const, what: `Redis may evict entries (${policy})`, advice: 'Set noeviction.' }]),
    ...(isFull
      ? [{ rating: 'degraded' as const, what: `Redis uses ${percent} % of its memory`, advice: 'Raise maxmemory.' }]
      : []),
  ]
}
