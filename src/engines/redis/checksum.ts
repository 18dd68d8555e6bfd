/** Checksums of records and large bodies (CHECKSUM in protocol.ts). */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CHECKSUM } from './protocol.js'

const { length } = CHECKSUM

const textOf = (crc: number): string => crc.toString(16).padStart(length, '0')

/** Returns the CRC-32 of what stands before a body: its signature, and a newline. */
export const crcOfSignature = (signature: string): number => crc32(`${signature}\n`)

/** Returns a body with the checksum of itself and of its signature before it. */
export function withChecksum(signature: number, body: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(length + body.length)
  sealed.write(textOf(crc32(body, signature)), 'latin1')
  body.copy(sealed, length)
  return sealed
}

/** Returns whether a checksum is that of a body and its signature, made by a process or by the library. */
export function isChecksum(checksum: string, crc: number, signature: string, body: Buffer): boolean {
  if (checksum === textOf(crc32(body, crc))) return true
  const sha1 = createHash('sha1').update(`${signature}\n`).update(body).digest('hex')
  return sha1.startsWith(checksum) && checksum.length === length
}

/** Returns a large body with its checksum behind it. */
export const bodyWithChecksum = (body: Buffer): Buffer => Buffer.concat([body, Buffer.from(textOf(crc32(body)))])

/** Returns a large body without its checksum; null if they differ. */
export function checkedBody(stored: Buffer): Buffer | null {
  const end = stored.length - length
  if (end < 0) return null
  const body = stored.subarray(0, end)
  return stored.toString('latin1', end) === textOf(crc32(body)) ? body : null
}
