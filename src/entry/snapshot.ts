/**
 * Snapshot: an entry encoded once, to be written often (JavaSpaces §snapshot). Templates are encoded when they are
 * made.
 */
import { type Encoded, encodedOf } from './template.js'

/**
 * Made by `space.snapshot(entry)`, accepted by `write` and `writeAll` of every space. Later changes of the entry have
 * no effect.
 */
export class Snapshot<F extends object> {
  readonly #encoded: Encoded | Promise<Encoded>
  /** Never set: it carries the type for the compiler. */
  declare readonly fields: F

  /** @internal Use space.snapshot. */
  constructor(entry: object) {
    this.#encoded = encodedOf(entry)
    // Each write reports the error of the schema.
    if (this.#encoded instanceof Promise) this.#encoded.catch(() => {})
  }

  /** @internal */
  static encoded(entry: object): Encoded | Promise<Encoded> {
    return entry instanceof Snapshot ? entry.#encoded : encodedOf(entry)
  }
}

/**
 * Returns the encoded entries; a promise only if there is a schema, so that all other writes keep their order within a
 * turn.
 */
export function encodeAll(entries: readonly object[]): Encoded[] | Promise<Encoded[]> {
  const encoded: (Encoded | Promise<Encoded>)[] = []
  try {
    for (const entry of entries) encoded.push(Snapshot.encoded(entry))
  } catch (error) {
    // The other promises may reject, too; they have no other handler.
    for (const each of encoded) if (each instanceof Promise) each.catch(() => {})
    throw error
  }
  return encoded.some((each) => each instanceof Promise) ? Promise.all(encoded) : (encoded as Encoded[])
}
