/**
 * Frames: the encoding of stream messages. After the sender's name, per frame: letter and stream, position, number of
 * bytes, bytes.
 */

import { decimalIn } from '../../runtime/decimal.js'

const NEWLINE = 10
const TAB = 9

export function writeFrame(parts: Buffer[], letter: string, id: string, place: string, bytes: Buffer): void {
  parts.push(Buffer.from(`${letter}${id}\t${place}\t${bytes.length}\n`, 'latin1'))
  if (bytes.length > 0) parts.push(bytes)
}

/** Reads the frames of a message. A malformed frame ends the message. */
export function readFrames(
  message: Buffer,
  onFrame: (from: string, letter: string, id: string, place: string, bytes: Buffer) => void,
): void {
  let at = message.indexOf(NEWLINE) + 1
  const from = message.toString('latin1', 0, at - 1)
  while (at > 0 && at < message.length) {
    const first = message.indexOf(TAB, at)
    const second = first < 0 ? -1 : message.indexOf(TAB, first + 1)
    const end = second < 0 ? -1 : message.indexOf(NEWLINE, second + 1)
    const next = end < 0 ? Number.NaN : end + 1 + decimalIn(message, second + 1, end)
    if (!(next <= message.length)) return
    const name = message.toString('latin1', at, first)
    const place = message.toString('latin1', first + 1, second)
    onFrame(from, name.slice(0, 1), name.slice(1), place, message.subarray(end + 1, next))
    at = next
  }
}
