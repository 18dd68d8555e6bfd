/**
 * The proofs by which the two ends of a direct connection know each other. The listening process sends a secret, valid
 * for one connection, through the space to the process that it invites; each end proves that it has the secret, without
 * showing it.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

const PROTOCOL = 'takespace-streams/1'
/** A line of the handshake is shorter. */
export const LONGEST_LINE = 256

export const newSecret = (): Buffer => randomBytes(32)

const proofOf = (secret: Buffer, ...words: readonly string[]): Buffer =>
  createHmac('sha256', secret).update(words.join('\n')).digest()

/** Returns the first line of the process that connects. */
export const guestLine = (secret: Buffer, guest: string, host: string): string =>
  `${PROTOCOL} ${guest} ${proofOf(secret, 'guest', guest, host).toString('base64url')}\n`

/** Returns the line by which the listening process answers. */
export const hostLine = (secret: Buffer, guest: string, host: string): string =>
  `${PROTOCOL} ${proofOf(secret, 'host', guest, host).toString('base64url')}\n`

/** Returns the process that the line of a guest names; undefined if the line is malformed. */
export function guestIn(line: string): string | undefined {
  const [protocol, guest, proof, ...more] = line.split(' ')
  return protocol === PROTOCOL && guest && proof && more.length === 0 ? guest : undefined
}

/** Returns whether a line is the expected one, in constant time. */
export function isLine(line: string, expected: string): boolean {
  const [given, wanted] = [Buffer.from(`${line}\n`), Buffer.from(expected)]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
