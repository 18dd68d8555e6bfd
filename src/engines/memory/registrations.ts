/**
 * Registrations of a memory space: each change of an entry is compared with its former state, as each registration sees
 * it.
 */
import { LONGEST_TIMER_MS, wallMs } from '../../clock.js'
import type { EncodedEntry, Interest, Stored } from '../../engine.js'
import { type Item, readable, takeable } from './bag.js'
import { matches } from './match.js'
import { WaitingTemplates } from './waiting-templates.js'

/** A change of an entry, as registrations see it. */
export interface WhatHappens {
  /** True if nobody could see it before. */
  readonly isNew: boolean
  readonly written: boolean
  readonly changed?: boolean
  /** Its former contents, if they are replaced. */
  readonly before?: EncodedEntry
}

interface MemoryRegistration {
  readonly presence: string
  readonly interest: Interest
  sequence: number
  expiresAt: number
  timer: NodeJS.Timeout | undefined
}

export class MemoryRegistrations {
  readonly #all = new Map<string, MemoryRegistration>()
  /** The ids of those with equal templates. */
  readonly #byTemplate = new WaitingTemplates(() => new Set<string>())
  #ids = 0

  add(presence: string, interest: Interest): { id: string; sequence: number; expiresAt: number } {
    const id = `n${++this.#ids}`
    const expiresAt = wallMs() + interest.leaseMs
    const registration: MemoryRegistration = { presence, interest, sequence: 0, expiresAt, timer: undefined }
    this.#all.set(id, registration)
    for (const template of interest.templates) this.#byTemplate.lineOf(template).add(id)
    this.#arm(id, registration)
    return { id, sequence: 0, expiresAt }
  }

  /** Returns undefined if there is no such registration, or its lease has ended. */
  renew(id: string, leaseMs: number): number | undefined {
    const registration = this.#get(id)
    if (!registration) return undefined
    registration.expiresAt = wallMs() + leaseMs
    this.#arm(id, registration)
    return registration.expiresAt
  }

  remove(id: string): boolean {
    const registration = this.#get(id)
    if (registration) this.#drop(id, registration)
    return registration !== undefined
  }

  forget(presence: string): void {
    for (const [id, registration] of this.#all) if (registration.presence === presence) this.#drop(id, registration)
  }

  /** Ends the registrations of a transaction. */
  endOf(tx: string): void {
    for (const [id, registration] of this.#all) {
      if (registration.interest.tx !== tx) continue
      this.#drop(id, registration)
      registration.interest.onEnded()
    }
  }

  /** Changes an entry and reports the resulting events. */
  around(
    item: Item,
    entry: () => Stored,
    { isNew, written, changed = false, before }: WhatHappens,
    change: () => void,
  ): void {
    const concerned = this.#of(item.entry).map((registration) => {
      const { templates, tx } = registration.interest
      const isMatch = !isNew && (!before || templates.some((template) => matches(template, before)))
      return { registration, tx, read: isMatch && readable(item, tx), take: isMatch && takeable(item, tx) }
    })
    change()
    for (const { registration, tx, read, take } of concerned) {
      const { interest } = registration
      const happened = {
        written: written && readable(item, tx),
        visible: !read && readable(item, tx),
        available: !take && takeable(item, tx),
        changed: changed && readable(item, tx),
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
    for (const registration of this.#of(entry)) {
      const { interest } = registration
      if (interest.on !== 'ended') continue
      const sequence = ++registration.sequence
      const now = wallMs()
      queueMicrotask(() => interest.onEvent({ ...entry, writtenAt: now, remainingMs: 0 }, sequence))
    }
  }

  /** Returns the registrations that ask for an entry. */
  #of(entry: EncodedEntry): MemoryRegistration[] {
    const ids = new Set<string>()
    for (const line of this.#byTemplate.matching(entry)) for (const id of line) ids.add(id)
    return [...ids].flatMap((id) => this.#get(id) ?? [])
  }

  #get(id: string): MemoryRegistration | undefined {
    const registration = this.#all.get(id)
    return registration && registration.expiresAt > wallMs() ? registration : undefined
  }

  #drop(id: string, { interest, timer }: MemoryRegistration): void {
    clearTimeout(timer)
    this.#all.delete(id)
    for (const template of interest.templates) {
      const line = this.#byTemplate.lineOf(template)
      line.delete(id)
      if (line.size === 0) this.#byTemplate.remove(template)
    }
  }

  /** Ends the registration with its lease. */
  #arm(id: string, registration: MemoryRegistration): void {
    clearTimeout(registration.timer)
    const end = (): void => {
      if (registration.expiresAt > wallMs()) return this.#arm(id, registration)
      this.#drop(id, registration)
      registration.interest.onEnded()
    }
    const left = Math.max(registration.expiresAt - wallMs(), 0)
    // Does not keep the process alive.
    registration.timer = setTimeout(end, Math.min(left + 1, LONGEST_TIMER_MS)).unref()
  }
}
