/** A snapshot: what a session was when it was loaded or last saved. Only what differs from it is saved. */

import type { Attribute, LoadedSession, SavedSession } from '../engine/sessions.js'
import { SpaceError } from '../errors.js'

/** As many attributes as an entry has fields. */
const MOST_ATTRIBUTES = 1_000

export class SessionSnapshot {
  /** Of the entry, once it has been made of the session's. */
  id: string | undefined
  attributes: Map<string, Attribute>
  /** Of what the space has beside these attributes nothing is known when it is ''. */
  version: string
  owner: string
  /** Held until the next save, touch or release; '' = none. */
  lock: string
  /** Whether the space has it; one that it has not yet is new. */
  isKnown: boolean
  /** What has no parts of its own that could change: the same one as then has the same text. */
  readonly #values = new Map<string, unknown>()
  /** What is under way with it: saves of one request come one after the other. */
  busy: Promise<unknown> | undefined

  constructor(loaded?: LoadedSession) {
    this.attributes = loaded?.attributes ?? new Map()
    this.version = loaded?.version ?? ''
    this.owner = loaded?.owner ?? ''
    this.lock = loaded?.lock ?? ''
    this.isKnown = loaded !== undefined
  }

  textOf(name: string): string | undefined {
    return this.attributes.get(name)?.text
  }

  /** The text that it had, if this is the very value that stood there. */
  sameText(name: string, value: unknown): string | undefined {
    return typeof value !== 'object' && value !== undefined && this.#values.get(name) === value
      ? this.textOf(name)
      : undefined
  }

  /** What was read of its text. */
  read(name: string, value: unknown): void {
    if (typeof value !== 'object') this.#values.set(name, value)
  }

  /** What is other than it was, and what is not there any more. */
  differences(texts: ReadonlyMap<string, string>): { set: [string, string][]; removed: string[] } {
    const set = [...texts].filter(([name, text]) => this.textOf(name) !== text)
    const removed = [...this.attributes.keys()].filter((name) => !texts.has(name))
    return { set, removed }
  }

  get versions(): Map<string, string> {
    return new Map(Array.from(this.attributes, ([name, { version }]) => [name, version]))
  }

  saved(set: readonly [string, string][], removed: readonly string[], { version, isKnown }: SavedSession): void {
    for (const [name, text] of set) {
      this.attributes.set(name, { text, version })
      this.#values.delete(name)
    }
    for (const name of removed) {
      this.attributes.delete(name)
      this.#values.delete(name)
    }
    this.version = isKnown ? version : ''
  }

  /** Never part of a session's JSON, where a framework copies it along with the attributes. */
  toJSON(): undefined {
    return undefined
  }
}

/**
 * The attributes as they are stored. What JSON leaves out is absent.
 *
 * @param snapshot what they were
 * @throws SpaceError INVALID_ENTRY
 */
export function textsOf(attributes: object, snapshot?: SessionSnapshot): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [name, value] of Object.entries(attributes)) {
    let text: string | undefined
    try {
      text = snapshot?.sameText(name, value) ?? JSON.stringify(value)
    } catch (cause) {
      throw new SpaceError('INVALID_ENTRY', `Attribute ${name.slice(0, 100)} has no JSON.`, { cause })
    }
    if (text === undefined) continue
    if (!name.isWellFormed()) throw new SpaceError('INVALID_ENTRY', 'The name of an attribute holds a lone surrogate.')
    texts.set(name, text)
  }
  if (texts.size > MOST_ATTRIBUTES) {
    throw new SpaceError('INVALID_ENTRY', `It has more than ${MOST_ATTRIBUTES} attributes.`)
  }
  return texts
}

/** @throws whatever is wrong with it: anybody may have written it */
export function attributesOf(snapshot: SessionSnapshot): Record<string, unknown> {
  const attributes: Record<string, unknown> = {}
  for (const [name, { text }] of snapshot.attributes) {
    // Set as JSON.parse does: a name such as __proto__ steers nothing.
    const value: unknown = JSON.parse(text)
    snapshot.read(name, value)
    if (name === '__proto__')
      Object.defineProperty(attributes, name, { value, enumerable: true, configurable: true, writable: true })
    else attributes[name] = value
  }
  return attributes
}
