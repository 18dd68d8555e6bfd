/** A history: what all processes of a run recorded, merged. Times are microseconds on the machine's one monotonic clock. */
import { readFileSync } from 'node:fs'

/**
 * What its process was told. refused: the space said no; failed: surely nothing was done; none: nothing was found; unknown: it may have
 * taken effect at any time after its invoke, or never.
 */
export type Out = 'ok' | 'none' | 'refused' | 'failed' | 'unknown'

export type What =
  | 'write'
  | 'take'
  | 'read'
  | 'renew'
  | 'cancel'
  | 'update'
  | 'commit'
  | 'abort'
  | 'request'
  | 'start'
  | 'complete'
  | 'release'

export interface Operation {
  readonly op: string
  /** The process. */
  readonly p: string
  readonly what: What
  readonly invoked: number
  /** Infinity: cut off. */
  readonly returned: number
  readonly out: Out
  /** Of entries that are matched by it; `*` matches all. */
  readonly group?: string
  /** What a write or a request brings. */
  readonly values?: readonly string[]
  /** What a find found, or what the operation is about. */
  readonly value?: string
  readonly leaseMs?: number
  /** Of a find: 0 does not wait. */
  readonly waitMs?: number
  readonly tx?: string
  readonly claim?: string
  readonly repeatable?: boolean
  /** The counter after an update. */
  readonly count?: number
}

/** Something that a process saw, or a fault that hit it, at one moment. */
export interface Event {
  readonly p: string
  readonly what: 'hello' | 'quiet' | 'bye' | 'deliver' | 'execute' | 'lost' | 'outcome' | 'timeout' | 'tally' | Fault
  readonly at: number
  readonly value?: string
  readonly claim?: string
  readonly attempt?: number
  /** On the space's own clock, ms. */
  readonly grantedAt?: number
  readonly kind?: 'completed' | 'lost' | 'exhausted' | 'unknown'
  readonly body?: string
  readonly session?: string
  /** At last, of all updates. */
  readonly count?: number
}

/** Told by the controller of the run, of the process that was hit, or `*`. */
export type Fault = 'killed' | 'frozen' | 'thawed' | 'disowned' | 'cut' | 'healed' | 'redis-killed' | 'redis-back'

export interface History {
  readonly operations: readonly Operation[]
  readonly events: readonly Event[]
}

type Line =
  | ({ is: 'invoke'; at: number } & Omit<Operation, 'invoked' | 'returned' | 'out'>)
  | { is: 'return'; op: string; at: number; out: Out; value?: string; count?: number }
  | ({ is: 'event' } & Event)

/** Merges what the processes have written; the last line of one that was killed may be cut off. */
export const readHistory = (files: readonly string[]): History =>
  historyOf(files.flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1)))

export function historyOf(lines: readonly string[]): History {
  const operations = new Map<string, Operation>()
  const events: Event[] = []
  for (const text of lines) {
    const line = JSON.parse(text) as Line
    if (line.is === 'event') {
      const { is, ...event } = line
      events.push(event)
    } else if (line.is === 'invoke') {
      const { is, at, ...operation } = line
      operations.set(line.op, { ...operation, invoked: at, returned: Number.POSITIVE_INFINITY, out: 'unknown' })
    } else {
      const { is, op, at, ...told } = line
      const operation = operations.get(op)
      if (!operation) throw new Error(`${op} returned and was never invoked`)
      operations.set(op, { ...operation, ...told, returned: at })
    }
  }
  return {
    operations: [...operations.values()].sort((a, b) => a.invoked - b.invoked),
    events: events.sort((a, b) => a.at - b.at),
  }
}

export const groupBy = <T>(list: Iterable<T>, keyOf: (item: T) => string | undefined): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of list) {
    const key = keyOf(item)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
