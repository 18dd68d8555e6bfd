/**
 * The recycle policy: when a worker process has handled too many requests, uses too much memory, or has too many
 * overrun handlers.
 */
import type { Beat } from './ipc.js'

export interface RecyclePolicy {
  readonly maxRequests?: number | undefined
  /** MB of resident memory. */
  readonly maxMemory?: number | undefined
  /** Overrun handlers keep their resources until the process ends. */
  readonly maxOverrunHandlers: number
}

export interface RecycleCause {
  readonly by: 'requests' | 'memory' | 'overrun'
  readonly why: string
}

/** Returns why a process is due for recycling. Taken requests count, not answered ones: hanging requests count too. */
export function recycleCause(
  { taken, megabytes, overrunHandlers }: Beat,
  policy: RecyclePolicy,
): RecycleCause | undefined {
  const { maxRequests = Infinity, maxMemory = Infinity, maxOverrunHandlers } = policy
  if (taken >= maxRequests) return { by: 'requests', why: `${taken} requests` }
  if (megabytes >= maxMemory) return { by: 'memory', why: `${megabytes} MB of memory` }
  if (overrunHandlers >= maxOverrunHandlers)
    return { by: 'overrun', why: `${overrunHandlers} handlers that never ended` }
  return undefined
}
