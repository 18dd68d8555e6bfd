/** Fields to bytes and back, exactly: JSON where JSON is exact, marked values where it is not, a refusal for all else. */
import { SpaceError } from './errors.js'

/** Nesting beyond this is refused: a stranger's entry must not be able to exhaust the stack. */
const DEEPEST = 64

/** Objects with one key of this form stand for values that JSON has no notation for; a user's key that begins so gets one more `$`. */
const BYTES = '$bytes'
const DATE = '$date'
const BIGINT = '$bigint'

const refuse = (path: string, why: string): never => {
  throw new SpaceError('INVALID_ENTRY', `Field ${path}: ${why}.`)
}

/** @throws SpaceError INVALID_ENTRY that names the field */
export function encodeFields(fields: object): Buffer {
  return Buffer.from(JSON.stringify(pack(fields, '', 0)))
}

export function decodeFields(body: Buffer): object {
  const text = body.toString('utf8')
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new TypeError('not the fields of an entry')
  return text.includes('"$') ? (unpack(parsed) as object) : parsed
}

function pack(value: unknown, path: string, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : refuse(path, 'the text holds a lone surrogate')
    case 'boolean':
    case 'undefined':
      return value
    case 'number':
      return Number.isFinite(value) ? value : refuse(path, `${value} cannot be stored`)
    case 'bigint':
      return { [BIGINT]: value.toString() }
    case 'object':
      return value === null ? null : packObject(value, path, depth + 1)
    default:
      return refuse(path, `a ${typeof value} cannot be stored`)
  }
}

function packObject(value: object, path: string, depth: number): unknown {
  if (depth > DEEPEST) return refuse(path, `it is nested deeper than ${DEEPEST} (or in a circle)`)
  if (value instanceof Date) {
    return Number.isNaN(value.getTime())
      ? refuse(path, 'an invalid Date cannot be stored')
      : { [DATE]: value.getTime() }
  }
  if (value instanceof Uint8Array) {
    return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  if (Array.isArray(value))
    return value.map((item, i) => pack(item === undefined ? null : item, `${path}[${i}]`, depth))
  const packed: [string, unknown][] = []
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    if (!name.isWellFormed()) refuse(path, 'a name holds a lone surrogate')
    packed.push([name.startsWith('$') ? `$${name}` : name, pack(field, path ? `${path}.${name}` : name, depth)])
  }
  return Object.fromEntries(packed)
}

function unpack(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(unpack)
  const entries = Object.entries(value)
  if (entries.length === 1) {
    const [name, field] = entries[0]!
    if (name === BYTES) return new Uint8Array(Buffer.from(String(field), 'base64'))
    if (name === DATE) return new Date(Number(field))
    if (name === BIGINT) return BigInt(String(field))
  }
  return Object.fromEntries(
    entries.map(([name, field]) => [name.startsWith('$$') ? name.slice(1) : name, unpack(field)]),
  )
}
