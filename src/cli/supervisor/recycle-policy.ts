/** Tells when a worker process has done as much, grown as large, or been left by as many handlers as it may: it is worn, and to be replaced. */
import type { Beat } from './ipc.js'

export interface RecyclePolicy {
  readonly maxRequests?: number | undefined
  /** MB of resident memory. */
  readonly maxMemory?: number | undefined
  /** So many handlers run on although their requests are over: what they hold is not given back in this process. */
  readonly maxOverrunHandlers: number
}

export interface RecycleCause {
  readonly by: 'requests' | 'memory' | 'overrun'
  readonly why: string
}

/** What it takes is counted, not what it answers: a request that hangs wears, too. */
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
