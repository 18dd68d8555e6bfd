/** Tells when a worker process has done as much, grown as large, or been left by as many handlers as it may: it is worn, and to be replaced. */
import type { Beat } from './ipc.js'

export interface Wear {
  readonly maxRequests?: number | undefined
  /** MB of resident memory. */
  readonly maxMemory?: number | undefined
  /** So many handlers run on although their requests are over: what they hold is not given back in this process. */
  readonly maxStrayed: number
}

export interface Worn {
  readonly by: 'requests' | 'memory' | 'strayed'
  readonly why: string
}

/** What it takes is counted, not what it answers: a request that hangs wears, too. */
export function wornBy({ taken, megabytes, strayed }: Beat, wear: Wear): Worn | undefined {
  const { maxRequests = Infinity, maxMemory = Infinity, maxStrayed } = wear
  if (taken >= maxRequests) return { by: 'requests', why: `${taken} requests` }
  if (megabytes >= maxMemory) return { by: 'memory', why: `${megabytes} MB of memory` }
  if (strayed >= maxStrayed) return { by: 'strayed', why: `${strayed} handlers that never ended` }
  return undefined
}
