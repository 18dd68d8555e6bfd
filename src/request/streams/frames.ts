/**
 * Frames: the encoding of stream messages. After the sender's name, per frame: letter and stream, position, number of
 * bytes, bytes.
 */

const NEWLINE = 10

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
    const end = message.indexOf(NEWLINE, at)
    const [name = '', place = '', length] = message.toString('latin1', at, Math.max(end, at)).split('\t')
    const next = end + 1 + Number(length)
    if (end < 0 || !(next <= message.length)) return
    onFrame(from, name.slice(0, 1), name.slice(1), place, message.subarray(end + 1, next))
    at = next
  }
}
