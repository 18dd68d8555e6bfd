/**
 * Encodes fields exactly: JSON where JSON is exact, marked values elsewhere, an error for everything else.
 *
 * Values are packed into plain JSON, read once: both the stored bytes and the matching tokens are made from it, so they
 * cannot differ, whatever getters and proxies a value has.
 */
import { types } from 'node:util'
import { SpaceError } from '../errors.js'
import { Condition } from './condition.js'
import {
  checkedBeforeParse,
  DEEPEST,
  LARGEST_ENTRY,
  MOST_FIELDS,
  MOST_NAMES,
  MOST_PARTS,
  MOST_VALUES,
} from './limits.js'

/** 1 233 decimal digits. Longer ones take seconds to parse, and may be foreign. */
const LONGEST_BIGINT_BITS = 4_096
const LONGEST_BIGINT_TEXT = 1_235

/** Objects with one such key encode values that JSON lacks. A user's key that begins with `$` gets one more `$`. */
export const BYTES = '$bytes'
export const DATE = '$date'
export const BIGINT = '$bigint'

/** JSON's own values, and nothing else. */
export type Packed = null | string | number | boolean | Packed[] | { [name: string]: Packed }
export type PackedFields = { [name: string]: Packed }

/** Error messages show paths, cut to this length: names can be data. */
const LONGEST_PATH = 100

/** A user's name from the name in a packed object. */
export const nameOf = (packedName: string): string => (packedName.startsWith('$$') ? packedName.slice(1) : packedName)

/**
 * Returns whether a value is an object without a class, of any realm (Jest and vm have an Object of their own). An
 * instance of a class would come back without its class.
 */
export function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && generations(value) <= 1
}

/**
 * Returns the number of prototypes behind an object: 1 for `{}`, 2 for an array or a Date, at least 2 for an instance
 * of a class.
 */
function generations(value: object): number {
  let n = 0
  for (let next = Object.getPrototypeOf(value); next !== null; next = Object.getPrototypeOf(next)) n++
  return n
}

/**
 * Returns the fields as plain JSON, without those that are `undefined`.
 * @throws SpaceError INVALID_ENTRY that names the field
 */
export function packFields(fields: object): PackedFields {
  const packer = new Packer()
  try {
    return packer.object(fields, 1) as PackedFields
  } catch (cause) {
    if (cause instanceof SpaceError) throw cause
    // A getter or a proxy of the caller threw.
    return packer.refuse('it cannot be read', { cause })
  }
}

/** @throws SpaceError INVALID_ENTRY if there are too many */
export function bytesOf(fields: PackedFields): Buffer {
  const body = Buffer.from(JSON.stringify(fields))
  if (body.length > LARGEST_ENTRY) tooLarge()
  return body
}

/** @throws SpaceError INVALID_ENTRY that names the field */
export const encodeFields = (fields: object): Buffer => bytesOf(packFields(fields))

const tooLarge = (): never => {
  throw new SpaceError('INVALID_ENTRY', `It is larger than ${LARGEST_ENTRY} bytes.`)
}

/**
 * Counts before it packs: a small object with many references to another is refused before it grows, and an object of
 * too many names before they are read.
 */
class Packer {
  /** A lower bound of the length of the text. */
  #size = 0
  #parts = 0
  #values = 0
  /** The current path: names and indexes. */
  readonly #path: (string | number)[] = []

  object(value: object, depth: number): Packed {
    if (depth > DEEPEST) return this.refuse(`it is nested deeper than ${DEEPEST} (or in a circle)`)
    this.#count(1, 0)
    if (Array.isArray(value)) return this.#array(value, depth)
    if (types.isDate(value)) {
      this.#count(1, 1)
      const time = value.getTime()
      return Number.isNaN(time) ? this.refuse('an invalid Date cannot be stored') : { [DATE]: time }
    }
    if (types.isUint8Array(value)) {
      this.#count(1, 1)
      this.#grow(value.length)
      return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
    }
    if (value instanceof Condition) return this.refuse('a condition is for a field of a template, not within a value')
    if (generations(value) > 1) return this.refuse('an instance of a class cannot be stored')
    if (Object.getOwnPropertySymbols(value).length > 0) return this.refuse('a symbol cannot name a field')
    const names = Object.keys(value)
    const most = depth === 1 ? MOST_FIELDS : MOST_NAMES
    if (names.length > most) return this.refuse(`it has ${names.length} names, more than ${most}`)
    this.#count(names.length, names.length)
    this.#grow(2)
    const packed: [string, Packed][] = []
    for (const name of names) {
      this.#path.push(name)
      const field: unknown = (value as Record<string, unknown>)[name]
      if (field !== undefined) {
        this.#grow(name.length + 2)
        if (!name.isWellFormed()) this.refuse('its name holds a lone surrogate')
        packed.push([name.startsWith('$') ? `$${name}` : name, this.#value(field, depth)])
      }
      this.#path.pop()
    }
    return Object.fromEntries(packed)
  }

  refuse(why: string, options?: ErrorOptions): never {
    const path = this.#path.join('.').slice(0, LONGEST_PATH) || '(top)'
    throw new SpaceError('INVALID_ENTRY', `Field ${path}: ${why}.`, options)
  }

  #value(value: unknown, depth: number): Packed {
    this.#grow(1)
    switch (typeof value) {
      case 'string':
        this.#grow(value.length)
        return value.isWellFormed() ? value : this.refuse('the text holds a lone surrogate')
      case 'boolean':
        return value
      case 'number':
        return Number.isFinite(value) ? value : this.refuse(`${value} cannot be stored`)
      case 'bigint':
        if (BigInt.asIntN(LONGEST_BIGINT_BITS, value) !== value) {
          return this.refuse(`a bigint of more than ${LONGEST_BIGINT_BITS} bits cannot be stored`)
        }
        this.#count(2, 1)
        return { [BIGINT]: value.toString() }
      case 'object':
        return value === null ? null : this.object(value, depth + 1)
      default:
        return this.refuse(`a ${typeof value} cannot be stored`)
    }
  }

  #array(value: readonly unknown[], depth: number): Packed {
    this.#count(0, value.length)
    this.#grow(2)
    if (generations(value) > 2) return this.refuse('an instance of a class cannot be stored')
    // The length of an array says nothing: a hole has no key.
    if (Object.keys(value).length !== value.length) return this.refuse('an array with holes or names cannot be stored')
    const packed: Packed[] = []
    for (let i = 0; i < value.length; i++) {
      this.#path.push(i)
      packed.push(this.#value(value[i], depth))
      this.#path.pop()
    }
    return packed
  }

  #count(parts: number, values: number): void {
    this.#parts += parts
    this.#values += values
    if (this.#parts > MOST_PARTS) this.refuse(`there are more than ${MOST_PARTS} names, objects and lists up to here`)
    if (this.#values > MOST_VALUES) this.refuse(`there are more than ${MOST_VALUES} values up to here`)
  }

  #grow(by: number): void {
    this.#size += by
    if (this.#size > LARGEST_ENTRY) tooLarge()
  }
}

/** Returns the fields. Throws any error if the bytes are malformed: they may be foreign. */
export function decodeFields(body: Buffer): object {
  checkedBeforeParse(body)
  const parsed: unknown = JSON.parse(body.toString('utf8'))
  if (!isPlain(parsed)) throw new TypeError('not the fields of an entry')
  if (Object.keys(parsed).length > MOST_FIELDS) throw new TypeError(`more than ${MOST_FIELDS} fields`)
  return objectOf(parsed, 1)
}

function unpack(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEEPEST) throw new TypeError(`nested deeper than ${DEEPEST}`)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = unpack(value[i], depth + 1)
    return value
  }
  const names = Object.keys(value)
  return names.length === 1 && names[0]!.startsWith('$') && !names[0]!.startsWith('$$')
    ? markedOf(names[0]!, (value as PackedFields)[names[0]!])
    : objectOf(value, depth)
}

/** Decodes in place: JSON.parse makes every name an own property, `__proto__` included. */
function objectOf(value: object, depth: number): object {
  const fields = value as Record<string, unknown>
  let renamed = false
  for (const name of Object.keys(fields)) {
    const field = fields[name]
    if (typeof field === 'object' && field !== null) fields[name] = unpack(field, depth + 1)
    renamed ||= name.startsWith('$')
  }
  return renamed ? Object.fromEntries(Object.entries(fields).map(([name, field]) => [nameOf(name), field])) : fields
}

function markedOf(mark: string, value: unknown): unknown {
  if (mark === BYTES && typeof value === 'string') return new Uint8Array(Buffer.from(value, 'base64'))
  if (mark === DATE && typeof value === 'number') {
    const date = new Date(value)
    if (!Number.isNaN(date.getTime())) return date
  }
  if (mark === BIGINT && typeof value === 'string' && value.length <= LONGEST_BIGINT_TEXT) return BigInt(value)
  throw new TypeError('a marked value that is none')
}
