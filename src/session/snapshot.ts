/** A snapshot: a session as it was loaded or last saved. Only the difference is saved. */

import type { Attribute, LoadedSession, SavedSession } from '../engine/sessions.js'
import { SpaceError } from '../errors.js'

/** An entry has at most as many fields. */
const MOST_ATTRIBUTES = 1_000

export class SessionSnapshot {
  /** The entry's id, once it was computed. */
  id: string | undefined
  attributes: Map<string, Attribute>
  /** The version that the attributes are complete for; '' = unknown. */
  version: string
  owner: string
  /** The lock until the next save, touch or release; '' = none. */
  lock: string
  /** True if the space has the session. */
  isKnown: boolean
  /** Values without parts: an identical value has the same text. */
  readonly #values = new Map<string, unknown>()
  /** The pending operation: saves of one request run one after the other. */
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

  /** Returns the stored text if this is the value that was read from it. */
  sameText(name: string, value: unknown): string | undefined {
    return typeof value !== 'object' && value !== undefined && this.#values.get(name) === value
      ? this.textOf(name)
      : undefined
  }

  /** Records the value that was read from the text. */
  read(name: string, value: unknown): void {
    if (typeof value !== 'object') this.#values.set(name, value)
  }

  /** Returns the changed and the removed attributes. */
  differences(texts: ReadonlyMap<string, string>): { set: [string, string][]; removed: string[] } {
    const set: [string, string][] = []
    const removed: string[] = []
    for (const entry of texts) if (this.textOf(entry[0]) !== entry[1]) set.push(entry)
    for (const name of this.attributes.keys()) if (!texts.has(name)) removed.push(name)
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

  /** A framework may copy the snapshot along with the attributes; it is never in their JSON. */
  toJSON(): undefined {
    return undefined
  }
}

/**
 * Returns the attributes as JSON, without those that JSON leaves out.
 *
 * @param snapshot the session as it was loaded
 * @throws SpaceError INVALID_ENTRY
 */
export function textsOf(attributes: object, snapshot?: SessionSnapshot): Map<string, string> {
  const texts = new Map<string, string>()
  for (const name of Object.keys(attributes)) {
    const value: unknown = (attributes as Record<string, unknown>)[name]
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
    throw new SpaceError('INVALID_ENTRY', `The session has more than ${MOST_ATTRIBUTES} attributes.`)
  }
  return texts
}

/** Returns the attributes. Throws any error if they are malformed: they may be foreign. */
export function attributesOf(snapshot: SessionSnapshot): Record<string, unknown> {
  const attributes: Record<string, unknown> = {}
  for (const [name, { text }] of snapshot.attributes) {
    // As JSON.parse does: a name such as __proto__ has no effect.
    const value: unknown = JSON.parse(text)
    snapshot.read(name, value)
    if (name === '__proto__')
      Object.defineProperty(attributes, name, { value, enumerable: true, configurable: true, writable: true })
    else attributes[name] = value
  }
  return attributes
}
