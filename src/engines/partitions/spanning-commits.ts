/**
 * Commits of transactions with effects in several partitions (docs/decisions/0027):
 *
 *   1. all partitions but one are prepared; a refusal aborts the transaction everywhere;
 *   2. the one that is left commits, and records in the same step that the others have to: it decides;
 *   3. the others commit, and what was recorded is forgotten.
 *
 * What a process leaves between two of these steps is finished by the process that a partition shows it to.
 */
import type { ElsewhereTransaction, TwoPhase, Unfinished } from '../../engine/two-phase.js'
import type { Engine } from '../../engine.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import type { Placement } from './placement.js'

export class SpanningCommits {
  readonly #members: readonly Engine[]
  readonly #placement: Placement

  constructor(members: readonly Engine[], placement: Placement) {
    this.#members = members
    this.#placement = placement
    for (const [partition, member] of members.entries()) {
      member.twoPhase?.watch((unfinished) => {
        // Shown again while it is unfinished.
        this.#finish(partition, unfinished).catch(() => {})
      })
    }
  }

  /**
   * Commits a transaction in all partitions, or in none. When the promise resolves it is committed, and visible where the
   * partition is there; in one that is away its effects are hidden until that is back.
   *
   * @param first its name in the partition that decides @param rest its names in the others with effects
   * @throws SpaceError as Engine.commit
   */
  async commit(first: ElsewhereTransaction, rest: readonly ElsewhereTransaction[]): Promise<void> {
    const [decider, ...others] = [first, ...rest].map((each) => this.#known(each)) as [
      ElsewhereTransaction,
      ...ElsewhereTransaction[],
    ]
    let isAsked = false
    try {
      await this.#prepare(decider, others)
      isAsked = true
      await this.#of(decider).decide(decider.tx, others)
    } catch (error) {
      if (await this.#giveUp(decider, others, isAsked && !hasSurelyNotRun(error))) return
      throw error
    }
    await Promise.all(others.map((other) => this.#handOver(other, () => this.#carryOut(decider, other))))
  }

  async #prepare(decider: ElsewhereTransaction, others: readonly ElsewhereTransaction[]): Promise<void> {
    const prepared = await Promise.allSettled(others.map((other) => this.#of(other).prepare(other.tx, decider)))
    const refused = prepared.find((each) => each.status === 'rejected')
    if (refused) throw asNotDecided(refused.reason)
  }

  /** Commits a transaction that the decider has decided on. */
  async #carryOut(decider: ElsewhereTransaction, other: ElsewhereTransaction): Promise<void> {
    await this.#of(other).settle(other.tx, decider, true)
    this.#forget(decider, other)
  }

  /** The partition shows what is left to another process, so what needs it is not waited for while it is away. */
  async #handOver({ partition }: ElsewhereTransaction, operation: () => Promise<unknown>): Promise<void> {
    const done = operation().catch(() => {})
    if (this.#members[this.#placement.numbered(partition)]!.isReachable) await done
  }

  /** Aborts what can be aborted. Returns true if it turns out that the transaction, which may be decided, is committed. */
  async #giveUp(
    decider: ElsewhereTransaction,
    others: readonly ElsewhereTransaction[],
    mayBeDecided: boolean,
  ): Promise<boolean> {
    await this.#handOver(decider, () => this.#memberOf(decider)!.abort(decider.tx))
    let isCommitted = false
    const ends = others.map((other) =>
      this.#handOver(other, async () => {
        await this.#memberOf(other)!.abort(other.tx)
        if (!mayBeDecided) await this.#of(other).settle(other.tx, decider, false)
        else if (await this.#settle(other, decider)) isCommitted = true
      }),
    )
    await Promise.all(ends)
    return isCommitted
  }

  /** Settles a prepared transaction as was decided, if it was. Returns true if it is committed. */
  async #settle(own: ElsewhereTransaction, decider: ElsewhereTransaction): Promise<boolean> {
    const decision = await this.#of(decider).decisionOn(decider.tx, own)
    if (decision === 'open') return false
    const isCommitted = decision === 'committed'
    await this.#of(own).settle(own.tx, decider, isCommitted)
    if (isCommitted) this.#forget(decider, own)
    return isCommitted
  }

  async #finish(partition: number, { tx, other, isDecided }: Unfinished): Promise<void> {
    const own = this.#known({ partition, tx })
    await (isDecided ? this.#carryOut(own, other) : this.#settle(own, other))
  }

  /** What is not forgotten now is shown to a process later, which carries it out again, without effect. */
  #forget(decider: ElsewhereTransaction, other: ElsewhereTransaction): void {
    this.#of(decider)
      .forget(decider.tx, other)
      .catch(() => {})
  }

  #of({ partition }: ElsewhereTransaction): TwoPhase {
    const twoPhase = this.#members[this.#placement.numbered(partition)]?.twoPhase
    if (!twoPhase) throw new SpaceError('INTERNAL', `There is no partition ${partition} for a transaction.`)
    return twoPhase
  }

  #memberOf({ partition }: ElsewhereTransaction): Engine | undefined {
    return this.#members[this.#placement.numbered(partition)]
  }

  /** Returns a transaction with the number that other processes know its partition by. */
  #known({ partition, tx }: ElsewhereTransaction): ElsewhereTransaction {
    return { partition: this.#placement.numberOf(partition), tx }
  }
}

const NOT_RUN = ['TRANSACTION_ENDED', 'SPACE_UNREACHABLE', 'OVERLOADED'] as const

/** Only this process decides, and it has not: what became of a part that gave no answer, the transaction is not committed. */
function asNotDecided(cause: unknown): unknown {
  if (!isSpaceError(cause, 'OUTCOME_UNKNOWN')) return cause
  return new SpaceError('SPACE_UNREACHABLE', 'A partition did not answer before the commit.', { cause })
}

/** Returns whether an error of decide() rules out that it took effect. */
const hasSurelyNotRun = (error: unknown): boolean => NOT_RUN.some((code) => isSpaceError(error, code))
