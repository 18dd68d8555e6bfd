/** contents: yields all matches without taking them (JavaSpace05): each entry that stays, once, then it ends. */
import { monotonicMs } from '../clock.js'
import type { Engine, Listed, Page } from '../engine.js'
import type { Template } from '../entry/template.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { ofOneKind } from './explain.js'
import { checkedLease } from './lease.js'
import { checkedMax } from './take-all.js'
import type { Transaction } from './transaction.js'

export interface ContentsOptions {
  /** Maximum number of entries. Default Infinity. */
  readonly max?: number | undefined
  /**
   * How long the iteration may take, in ms; then it throws LEASE_UNKNOWN. Default Infinity: the space stores nothing
   * for it.
   */
  readonly leaseMs?: number | undefined
  /**
   * A transaction. Others cannot take the yielded entries until it ends; entries that were written under it are yielded
   * too.
   */
  readonly tx?: Transaction | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['max', 'leaseMs', 'tx'])

/** Entries per call; under a transaction they are locked page by page. */
const PAGE = 100

/**
 * @internal Yields the matches in the order in which they would be taken, page by page. An entry keeps its position
 * while it exists, so none comes twice; one that is written before the current position does not come.
 */
export async function* contentsOf(
  engine: Engine,
  { encoded }: Template<object>,
  options: ContentsOptions,
): AsyncGenerator<Listed> {
  onlyKnown('contents', options, OPTIONS)
  const { max = Number.POSITIVE_INFINITY, leaseMs = Number.POSITIVE_INFINITY, tx } = options
  ofOneKind('contents', encoded)
  if (max !== Number.POSITIVE_INFINITY) checkedMax(max)
  if (checkedLease(leaseMs) === 0) throw new SpaceError('INVALID_ARGUMENT', 'leaseMs is more than 0.')
  const endsAt = monotonicMs() + leaseMs
  const seen = engine.isMoving ? new Set<string>() : undefined
  let left = max
  for (let after: string | null = null; left > 0; ) {
    const most = Math.min(left, PAGE)
    const from = after
    const list = (): Promise<Page> => engine.list(encoded, from, most, tx?.id)
    const page: Page = tx ? await tx.find(undefined, list) : await list()
    const { next } = page
    const entries = seen ? page.entries.filter(({ id }) => !seen.has(id) && seen.add(id)) : page.entries
    for (const entry of entries) {
      if (monotonicMs() >= endsAt) throw new SpaceError('LEASE_UNKNOWN', 'The lease of the contents had ended.')
      yield entry
    }
    left -= entries.length
    if (next === null) return
    after = next
  }
}
