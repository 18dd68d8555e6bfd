/** Health: the state of the server and of the connection, as this process sees it. */
import type { Health } from '../../engine.js'
import { within } from '../../runtime/deadline.js'
import type { Damage } from './damage.js'
import type { Presence } from './presence.js'
import type { Batches } from './wire/batches.js'
import type { ServerMemory } from './wire/server-memory.js'
import type { Writes } from './write.js'

/** If the space has been silent for this long, a request is sent, and its reply awaited for ASK_MS. */
const QUIET_MS = 1_000
const ASK_MS = 900

export interface Vitals {
  readonly memory: ServerMemory
  readonly presence: Presence
  readonly batches: Batches
  readonly writes: Writes
  readonly damage: Damage
  /** Sends the cheapest request possible. */
  ask(): Promise<unknown>
}

/** Resolves within a second. */
export async function healthOf({ memory, presence, batches, writes, damage, ask }: Vitals): Promise<Health> {
  const looks: Promise<unknown>[] = [memory.look()]
  if (presence.connected && batches.clock.silentMs > QUIET_MS) looks.push(ask())
  await within(ASK_MS, Promise.all(looks)).catch(() => {})
  return {
    connected: presence.connected,
    answeredMsAgo: batches.clock.silentMs,
    full: writes.isFull,
    evicts: memory.policy,
    damaged: damage.count,
    unusable: batches.isUnusable,
    queued: batches.queued,
    reconnects: presence.reconnects,
    gaps: presence.gaps,
    memory: memory.bytes,
  }
}
