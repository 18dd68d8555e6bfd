/** Entries of a memory space by their ids, changes of them in place, and clearing. */
import type { Change, Changes, EncodedContents, FindById } from '../../engine/changes.js'
import { type EncodedEntry, type EncodedTemplate, OWN_KINDS, type Stored } from '../../engine.js'
import { type Item, readable, storedOf, takeable } from './bag.js'
import type { World } from './world.js'

/** The parts of the engine that changes need. */
export interface Housekeeping {
  /** @throws SpaceError SPACE_CLOSED */
  open(): void
  /** @throws SpaceError SPACE_FULL if there is no room for an entry in the place of another */
  refuseBeyond(entry: EncodedEntry, replaced: Item, tx: string | undefined): void
}

export class MemoryChanges implements Changes {
  readonly #world: World
  readonly #engine: Housekeeping

  constructor(world: World, engine: Housekeeping) {
    this.#world = world
    this.#engine = engine
  }

  async change(change: Change): Promise<Stored | null> {
    const { target, tx, signal, contents } = change
    let seen: { item: Item; contents: EncodedContents } | undefined
    for (;;) {
      signal?.throwIfAborted()
      this.#check(tx)
      const item =
        typeof target === 'string'
          ? this.#byId(target, true, tx)
          : this.#world.bag.best(target, (each) => takeable(each, tx))
      if (!item) return null
      // A changed entry is another item: this one is as it was seen.
      if (seen?.item === item) return storedOf(this.#replace(item, seen.contents, tx))
      const stored = storedOf(item)
      if (!(await this.#conforms(change, item, stored))) continue
      const made = await contents(stored)
      if (!made) return null
      seen = { item, contents: made }
    }
  }

  async find(find: FindById): Promise<Stored | null> {
    const { id, take, tx } = find
    for (;;) {
      this.#check(tx)
      const item = this.#byId(id, take, tx)
      if (!item) return null
      const stored = storedOf(item)
      if (!take) {
        this.#world.give(item, false, tx)
        return (await this.#conforms(find, item, stored)) ? stored : null
      }
      if (!(await this.#conforms(find, item, stored))) continue
      if (this.#byId(id, take, tx) !== item) continue
      this.#world.give(item, true, tx)
      return stored
    }
  }

  async cancel(id: string): Promise<boolean> {
    this.#check(undefined)
    const item = this.#byId(id, true, undefined)
    if (item) this.#world.bag.remove(id)
    return item !== undefined
  }

  async clear(template: EncodedTemplate): Promise<number> {
    this.#check(undefined)
    const matches = this.#world.bag.all(template, (item) => takeable(item, undefined))
    for (const { entry } of matches) this.#world.bag.remove(entry.id)
    return matches.length
  }

  /** @throws SpaceError SPACE_CLOSED, TRANSACTION_ENDED */
  #check(tx: string | undefined): void {
    this.#engine.open()
    if (tx !== undefined) this.#world.transactions.get(tx)
  }

  /** Returns an entry that a find may have. */
  #byId(id: string, take: boolean, tx: string | undefined): Item | undefined {
    const item = this.#world.bag.get(id)
    if (!item || item.entry.kinds[0]!.startsWith(OWN_KINDS)) return undefined
    return (take ? takeable : readable)(item, tx) ? item : undefined
  }

  async #conforms({ conforms, onNonconforming }: Change | FindById, item: Item, stored: Stored): Promise<boolean> {
    if (await conforms(stored)) return true
    const isThere = this.#world.bag.get(stored.id) === item
    if (isThere && this.#world.deadLetter(item, 'nonconforming')) onNonconforming(stored)
    return false
  }

  /** Returns the changed item, which waiting finds may have been given. */
  #replace(item: Item, contents: EncodedContents, tx: string | undefined): Item {
    const entry: EncodedEntry = { ...item.entry, ...contents }
    this.#engine.refuseBeyond(entry, item, tx)
    const changed = this.#world.originals.replace(item, entry, tx)
    const what = { isNew: false, written: false, changed: true, before: item.entry }
    this.#world.change(changed, what, () => {})
    return changed
  }
}
