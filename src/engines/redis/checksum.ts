/** Checksums of records and large bodies (CHECKSUM in protocol.ts). */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CHECKSUM } from './protocol.js'

const { length } = CHECKSUM
const DIGITS = Buffer.from('0123456789abcdef')

const digitsOf = (crc: number): string => crc.toString(16).padStart(length, '0')

/** Writes a CRC-32 as 8 digits. By hand, because this runs for each entry. */
function write(crc: number, into: Buffer, at: number): void {
  for (let i = 0; i < length; i++) into[at + i] = DIGITS[(crc >>> (28 - 4 * i)) & 15]!
}

/** Returns whether 8 digits are those of a CRC-32. */
function stands(crc: number, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== DIGITS[(crc >>> (28 - 4 * i)) & 15]) return false
  return true
}

/** The state of a CRC-32 after each byte, from 0. */
const STATES = Int32Array.from({ length: 256 }, (_, byte) => ~crc32(Buffer.of(byte), 0xffffffff))
/** Up to this many bytes a loop is faster than a view of the bytes and a call of zlib. */
const SHORT = 128

/** Returns the CRC-32 of a text as 8 digits. */
export const checksumOf = (text: string): string => digitsOf(crcOf(text))

function crcOf(text: string): number {
  if (text.length > SHORT) return crc32(text)
  let state = -1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return crc32(text)
    state = (state >>> 8) ^ STATES[(state ^ code) & 255]!
  }
  return ~state >>> 0
}

/** Returns whether the 8 digits at `at` are the CRC-32 of the bytes in `from` to `to`. */
export function isChecksumOf(bytes: Buffer, from: number, to: number, at: number): boolean {
  if (to - from > SHORT) return stands(crc32(bytes.subarray(from, to)), bytes, at)
  let state = -1
  for (let i = from; i < to; i++) state = (state >>> 8) ^ STATES[(state ^ bytes[i]!) & 255]!
  return stands(~state, bytes, at)
}

/** Returns the CRC-32 of what stands before a body: its signature, and a newline. */
export const crcOfSignature = (signature: string): number => crc32(`${signature}\n`)

/** Returns the checksum of a body and of the signature before it, as 8 digits. */
export const checksumOfBody = (signature: number, body: Buffer): string => digitsOf(crc32(body, signature))

/**
 * Returns whether the checksum at `at` in a record is that of the body behind it and of the signature; a process or the
 * library may have made it. `crc`: of the signature.
 */
export function isChecked(record: Buffer, at: number, crc: number, signature: string): boolean {
  const body = record.subarray(at + length)
  if (stands(crc32(body, crc), record, at)) return true
  const sha1 = createHash('sha1').update(`${signature}\n`).update(body).digest('hex')
  return sha1.slice(0, length) === record.toString('latin1', at, at + length)
}

/** Returns a large body with its checksum behind it. */
export function bodyWithChecksum(body: Buffer): Buffer {
  const stored = Buffer.allocUnsafe(body.length + length)
  body.copy(stored)
  write(crc32(body), stored, body.length)
  return stored
}

/** Returns a large body without its checksum; null if they differ. */
export function checkedBody(stored: Buffer): Buffer | null {
  const end = stored.length - length
  if (end < 0) return null
  const body = stored.subarray(0, end)
  return stands(crc32(body), stored, end) ? body : null
}
