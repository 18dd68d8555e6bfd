/**
 * Registrations of a memory space: each change of an entry is compared with its former state, as each registration sees
 * it.
 */
import { wallMs } from '../../clock.js'
import type { EncodedEntry, Interest, Stored } from '../../engine.js'
import { type Item, readable, takeable } from './bag.js'
import { matches } from './match.js'

interface MemoryRegistration {
  readonly presence: string
  readonly interest: Interest
  sequence: number
  expiresAt: number
}

export class MemoryRegistrations {
  readonly #all = new Map<string, MemoryRegistration>()
  #ids = 0

  add(presence: string, interest: Interest): { id: string; sequence: number; expiresAt: number } {
    const id = `n${++this.#ids}`
    const registration = { presence, interest, sequence: 0, expiresAt: wallMs() + interest.leaseMs }
    this.#all.set(id, registration)
    return { id, ...registration }
  }

  /** Returns undefined if there is no such registration, or its lease has ended. */
  renew(id: string, leaseMs: number): number | undefined {
    const registration = this.#get(id)
    if (registration) registration.expiresAt = wallMs() + leaseMs
    return registration?.expiresAt
  }

  remove(id: string): boolean {
    return this.#get(id) !== undefined && this.#all.delete(id)
  }

  forget(presence: string): void {
    for (const [id, registration] of this.#all) if (registration.presence === presence) this.#all.delete(id)
  }

  /** Ends the registrations of a transaction. */
  endOf(tx: string): void {
    for (const [id, { interest }] of this.#all) {
      if (interest.tx !== tx) continue
      this.#all.delete(id)
      interest.onEnded()
    }
  }

  /** Changes an entry and reports the resulting events. */
  around(
    item: Item,
    entry: () => Stored,
    { isNew, written }: { isNew: boolean; written: boolean },
    change: () => void,
  ): void {
    const before = [...this.#all.keys()].flatMap((id) => {
      const registration = this.#get(id)
      if (!registration?.interest.templates.some((template) => matches(template, item.entry))) return []
      const { tx } = registration.interest
      return [{ registration, tx, read: !isNew && readable(item, tx), take: !isNew && takeable(item, tx) }]
    })
    change()
    for (const { registration, tx, read, take } of before) {
      const { interest } = registration
      const happened = {
        written: written && readable(item, tx),
        visible: !read && readable(item, tx),
        available: !take && takeable(item, tx),
        ended: false,
      }
      if (!happened[interest.on]) continue
      const sequence = ++registration.sequence
      const seen = entry()
      // In a microtask, so that a write never calls back synchronously.
      queueMicrotask(() => interest.onEvent(seen, sequence))
    }
  }

  /** Reports the end of a session entry. */
  ended(entry: EncodedEntry): void {
    for (const id of [...this.#all.keys()]) {
      const registration = this.#get(id)
      const { interest } = registration ?? {}
      if (interest?.on !== 'ended' || !interest.templates.some((template) => matches(template, entry))) continue
      const sequence = ++registration!.sequence
      const now = wallMs()
      queueMicrotask(() => interest.onEvent({ ...entry, writtenAt: now, remainingMs: 0 }, sequence))
    }
  }

  #get(id: string): MemoryRegistration | undefined {
    const registration = this.#all.get(id)
    if (!registration || registration.expiresAt > wallMs()) return registration
    this.#all.delete(id)
    return undefined
  }
}
