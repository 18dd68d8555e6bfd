/** contents: all that matches, entry by entry, without taking (JavaSpace05). Nothing twice, nothing missed that stays, and then it is over. */
import { monotonicMs } from '../clock.js'
import { ANY_KIND, type Engine, type Listed, type Page } from '../engine.js'
import type { Template } from '../entry/template.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { checkedLease } from './lease.js'
import { checkedMax } from './take-all.js'
import type { Transaction } from './transaction.js'

export interface ContentsOptions {
  /** How many at most. Default Infinity. */
  readonly max?: number | undefined
  /** For how long it may be asked for more, in ms; then it throws LEASE_UNKNOWN. Default: for ever, since the space keeps nothing for it. */
  readonly leaseMs?: number | undefined
  /** What it yields can be taken by nobody else until this ends; what was written under it is yielded, too. */
  readonly tx?: Transaction | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['max', 'leaseMs', 'tx'])

/** So many come with one call; under a transaction they are locked as they come. */
const PAGE = 100

/**
 * @internal Goes through the matches in the order in which they would be taken, a page at a time. An entry keeps its place as long as it lives, so
 * none comes twice; one that is written behind the place that has been reached comes no more.
 */
export async function* contentsOf(
  engine: Engine,
  { encoded }: Template<object>,
  options: ContentsOptions,
): AsyncGenerator<Listed> {
  onlyKnown('contents', options, OPTIONS)
  const { max = Number.POSITIVE_INFINITY, leaseMs = Number.POSITIVE_INFINITY, tx } = options
  if (encoded.kind === ANY_KIND) throw new SpaceError('INVALID_ARGUMENT', 'contents wants a kind, not AnyEntry.')
  if (max !== Number.POSITIVE_INFINITY) checkedMax(max)
  if (checkedLease(leaseMs) === 0) throw new SpaceError('INVALID_ARGUMENT', 'leaseMs is more than 0.')
  const endsAt = monotonicMs() + leaseMs
  let left = max
  for (let after: string | null = null; left > 0; ) {
    const most = Math.min(left, PAGE)
    const from = after
    const list = (): Promise<Page> => engine.list(encoded, from, most, tx?.id)
    const { entries, next }: Page = tx ? await tx.find(undefined, list) : await list()
    for (const entry of entries) {
      if (monotonicMs() >= endsAt) throw new SpaceError('LEASE_UNKNOWN', 'The contents were asked for too late.')
      yield entry
    }
    left -= entries.length
    if (next === null) return
    after = next
  }
}
