/**
 * Frames: the encoding of stream messages. After the sender's name, per frame: letter and stream, position, number of
 * bytes, bytes. frames-in.ts and messages-in.ts read them.
 */

export function writeFrame(parts: Buffer[], letter: string, id: string, place: string, bytes: Buffer): void {
  parts.push(Buffer.from(`${letter}${id}\t${place}\t${bytes.length}\n`, 'latin1'))
  if (bytes.length > 0) parts.push(bytes)
}
