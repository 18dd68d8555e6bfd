/** Ids of entries: no other process makes the same. */
import { randomBytes } from 'node:crypto'

export class Ids {
  // A command line would take an id that begins with a dash for an option.
  readonly #tag = randomBytes(6).toString('base64url').replace(/^-/, '_')
  #count = 0

  next(): string {
    return `${this.#tag}${(this.#count++).toString(36)}`
  }
}
