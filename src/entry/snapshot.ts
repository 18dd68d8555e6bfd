/** Snapshot: an entry encoded once, to be written often (JavaSpaces §snapshot). A template is its own: it is encoded when it is made. */
import { type Encoded, encodedOf } from './template.js'

/**
 * Made by `space.snapshot(entry)`, and accepted by `write` and `writeAll` in its stead. What becomes of the entry afterwards has no effect
 * on it. It holds fields and tokens, which mean the same in every space, so every space accepts it.
 */
export class Snapshot<F extends object> {
  readonly #encoded: Encoded | Promise<Encoded>
  /** Never set; it makes the type known to the compiler. */
  declare readonly fields: F

  /** @internal Use space.snapshot. */
  constructor(entry: object) {
    this.#encoded = encodedOf(entry)
    // What its schema refuses is reported by each write of it.
    if (this.#encoded instanceof Promise) this.#encoded.catch(() => {})
  }

  /** @internal */
  static encoded(entry: object): Encoded | Promise<Encoded> {
    return entry instanceof Snapshot ? entry.#encoded : encodedOf(entry)
  }
}

/** All of them as engines store them; a promise only if a schema has a say, so that all else keeps its order within a turn. */
export function encodeAll(entries: readonly object[]): Encoded[] | Promise<Encoded[]> {
  const encoded: (Encoded | Promise<Encoded>)[] = []
  try {
    for (const entry of entries) encoded.push(Snapshot.encoded(entry))
  } catch (error) {
    // The others may fail, too, and nobody would hear of it.
    for (const each of encoded) if (each instanceof Promise) each.catch(() => {})
    throw error
  }
  return encoded.some((each) => each instanceof Promise) ? Promise.all(encoded) : (encoded as Encoded[])
}
