/** takeAll: waits for the first match of several templates, then takes what is there (JavaSpace05). */
import type { Template } from '../entry/template.js'
import type { Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { awaitSome } from './await-some.js'
import { checkedWait } from './find.js'
import type { Transaction } from './transaction.js'

/** A list that is not known to be empty: calls with a list refuse an empty one. */
export type NonEmpty<T extends readonly unknown[]> = T & (T extends readonly [] ? never : unknown)

/** The options of `takeAll` and `readAll`. */
export interface TakeAllOptions {
  /** Maximum number of entries. Default 100. */
  readonly max?: number | undefined
  /** How long to wait for the first entry, in ms. Default Infinity. 0 = do not wait. */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** As of `take` and `read`. */
  readonly tx?: Transaction | undefined
}

export type TakeAllTerms = TakeAllOptions & { readonly max: number; readonly waitMs: number }

const OPTIONS: ReadonlySet<string> = new Set(['max', 'waitMs', 'signal', 'tx'])

/**
 * Returns the options with their defaults. Throws INVALID_ARGUMENT for an unknown option, an invalid wait or number, or no
 * template. `what`: takeAll or readAll.
 */
export function checkedTakeAll(what: string, templates: unknown, options: TakeAllOptions): TakeAllTerms {
  const { max = 100, waitMs = Number.POSITIVE_INFINITY, signal, tx } = onlyKnown(what, options, OPTIONS)
  checkedWait(waitMs, signal)
  if (!Array.isArray(templates) || templates.length === 0) {
    throw new SpaceError('INVALID_ARGUMENT', `${what} wants at least one template.`)
  }
  return { max: checkedMax(max), waitMs, signal, tx }
}

/** The finds that takeAll uses. */
export interface TakeAllFinds {
  take(template: Template<object>, waitMs: number, signal?: AbortSignal): Promise<Entry<object> | null>
  /** Takes the matches that are there, at most `most`. */
  takeMany(template: Template<object>, most: number): Promise<Entry<object>[]>
  /** Calls `onAvailable` whenever a match can be taken, until the returned function is called or the time is over. */
  watch(templates: readonly Template<object>[], waitMs: number, onAvailable: () => void): Promise<() => void>
}

export function checkedMax(max: number, name = 'max'): number {
  if (!Number.isSafeInteger(max) || max < 1) {
    throw new SpaceError('INVALID_ARGUMENT', `${name} must be an integer ≥ 1, not ${String(max)}.`)
  }
  return max
}

/**
 * With one template it queues like any taker. With several it registers for availability instead: of several standing
 * takes more than one could succeed, and a take is final. So it never takes more than `max` and loses nothing, but
 * queued takers are served first.
 */
export async function takeAll(
  finds: TakeAllFinds,
  templates: readonly Template<object>[],
  max: number,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<Entry<object>[]> {
  const [only] = templates
  signal?.throwIfAborted()
  if (templates.length === 1) return drain(finds, only!, max, waitMs, signal)
  const search = (): Promise<Entry<object>[]> => drainEach(finds, templates, max)
  const watch = (onAvailable: () => void) => finds.watch(templates, waitMs, onAvailable)
  return awaitSome({ search, watch }, waitMs, signal)
}

/** Takes the matches of each template in turn. */
async function drainEach(
  finds: TakeAllFinds,
  templates: readonly Template<object>[],
  max: number,
): Promise<Entry<object>[]> {
  let taken: Entry<object>[] = []
  for (const template of templates) {
    if (taken.length === max) break
    try {
      taken = taken.concat(await drain(finds, template, max - taken.length, 0))
    } catch (error) {
      // Entries that were taken are returned, even if a later take fails.
      if (taken.length === 0) throw error
      break
    }
  }
  return taken
}

/** Takes the matches of one template. Without a match it waits for the first one and takes those that came with it. */
async function drain(
  finds: TakeAllFinds,
  template: Template<object>,
  most: number,
  waitMs: number,
  signal?: AbortSignal,
): Promise<Entry<object>[]> {
  const there = await finds.takeMany(template, most)
  if (there.length > 0 || waitMs <= 0) return there
  const first = await finds.take(template, waitMs, signal)
  if (!first) return []
  // The first entry is returned, even if the others cannot be taken.
  const rest = most > 1 ? await finds.takeMany(template, most - 1).catch(() => []) : []
  return [first, ...rest]
}
