/** Reads and takes of entries by their ids. */
import type { FindById } from '../engine/changes.js'
import type { Engine, Stored } from '../engine.js'
import type { Definition } from '../entry/kind.js'
import { definitionOf } from '../entry/known-kinds.js'
import { Nonconforming } from '../entry/nonconforming.js'
import { templateOf } from '../entry/template.js'
import { kindNamed } from '../entry/token.js'
import { AnyEntry, type Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { checkedEntry, checkTransaction } from './find.js'
import type { Transaction } from './transaction.js'

export interface ByIdOptions {
  /** A transaction, as of `take`. */
  readonly tx?: Transaction | undefined
}

/** Is told of an entry that was moved to the dead letters, and of its kind. */
export type OnNonconforming = (stored: Stored, nonconforming: Nonconforming, kind: string) => void

const OPTIONS: ReadonlySet<string> = new Set(['tx'])

/** Longer than any id of an entry. */
const LONGEST_ID = 200

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedId(what: string, id: unknown): string {
  if (typeof id === 'string' && id !== '' && id.length <= LONGEST_ID && id.isWellFormed()) return id
  throw new SpaceError('INVALID_ARGUMENT', `${what} wants the id of an entry, as entryInfo(entry).id tells it.`)
}

/** Returns the entry; null if it is not there. @throws SpaceError as space.readById */
export async function findById(
  engine: Engine,
  { id, take, options }: { id: unknown; take: boolean; options: ByIdOptions },
  report: OnNonconforming,
): Promise<Entry | null> {
  const what = take ? 'takeById' : 'readById'
  const { tx } = onlyKnown(what, options, OPTIONS)
  const judging = new Judging(report)
  const find: FindById = { id: checkedId(what, id), take, ...judging.callbacks }
  checkTransaction(tx, engine)
  const stored = await (tx
    ? tx.find(undefined, () => engine.changes.find({ ...find, tx: tx.id }))
    : engine.changes.find(find))
  return stored && judging.entry
}

/** The check of found entries against the schema of their kind, as this process has defined it. */
export class Judging {
  /** The entry that was found last, if it conforms. */
  entry: Entry | null = null
  readonly #report: OnNonconforming
  readonly #definition: Definition | undefined
  #nonconforming: Nonconforming | undefined

  /** `definition`: the kind of the template, if there is one. */
  constructor(report: OnNonconforming, definition?: Definition) {
    this.#report = report
    this.#definition = definition
  }

  /** Returns the kind by which an entry is judged. */
  kindOf({ kinds }: Stored): Definition {
    return this.#definition ?? definitionOf(kindNamed(kinds[0]!)) ?? templateOf(AnyEntry).definition
  }

  get callbacks(): Pick<FindById, 'conforms' | 'onNonconforming'> {
    return {
      conforms: async (stored) => {
        const found = await checkedEntry(stored, this.kindOf(stored))
        this.entry = found instanceof Nonconforming ? null : found
        this.#nonconforming = found instanceof Nonconforming ? found : undefined
        return this.entry !== null
      },
      onNonconforming: (stored) => {
        if (this.#nonconforming) this.#report(stored, this.#nonconforming, kindNamed(stored.kinds[0]!))
      },
    }
  }
}
