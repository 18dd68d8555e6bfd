/** A snapshot: what a session was when it was loaded or last saved. Only what differs from it is saved. */
import { SpaceError } from '../errors.js'
import type { LoadedSession } from './entries.js'

/** As many attributes as an entry has fields. */
const MOST_ATTRIBUTES = 1_000

export class Snapshot {
  /** By attribute. */
  readonly texts = new Map<string, string>()
  readonly versions = new Map<string, string>()
  owner = ''
  /** Held until the next save, touch or release; '' = none. */
  lock = ''
  /** Whether the space has it; one that it has not yet is new. */
  isKnown = false
  /** What is under way with it: saves of one request come one after the other. */
  busy: Promise<unknown> = Promise.resolve()

  static of(loaded: LoadedSession): Snapshot {
    const snapshot = new Snapshot()
    for (const [name, { text, version }] of loaded.attributes) snapshot.saved(name, text, version)
    snapshot.owner = loaded.owner
    snapshot.lock = loaded.lock
    snapshot.isKnown = true
    return snapshot
  }

  saved(name: string, text: string | undefined, version: string): void {
    if (text === undefined) {
      this.texts.delete(name)
      this.versions.delete(name)
    } else {
      this.texts.set(name, text)
      this.versions.set(name, version)
    }
  }

  /** Never part of a session's JSON, where a framework copies it along with the attributes. */
  toJSON(): undefined {
    return undefined
  }
}

/** The attributes as they are stored. What JSON leaves out is absent. @throws SpaceError INVALID_ENTRY */
export function textsOf(attributes: object): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [name, value] of Object.entries(attributes)) {
    let text: string | undefined
    try {
      text = JSON.stringify(value)
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
export function attributesOf(snapshot: Snapshot): Record<string, unknown> {
  const attributes: Record<string, unknown> = {}
  for (const [name, text] of snapshot.texts) {
    // Set as JSON.parse does: a name such as __proto__ steers nothing.
    const value: unknown = JSON.parse(text)
    if (name === '__proto__')
      Object.defineProperty(attributes, name, { value, enumerable: true, configurable: true, writable: true })
    else attributes[name] = value
  }
  return attributes
}

/** What has to be said of it: what is other than it was, and what is not there any more. */
export function differences(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): { set: [string, string][]; removed: string[] } {
  const set = [...after].filter(([name, text]) => before.get(name) !== text)
  const removed = [...before.keys()].filter((name) => !after.has(name))
  return { set, removed }
}
