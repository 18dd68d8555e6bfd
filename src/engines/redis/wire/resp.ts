/**
 * The commands of the hot path as they go over the wire. The client's own encoder joins a text per argument, and a call
 * of a function has some hundred; of a message it makes a copy.
 */
import type { Socket } from 'node:net'

/** The size of the buffer that is kept between calls; longer calls are rare. */
const KEPT_BYTES = 1 << 18
/** The most bytes of UTF-8 that a code unit takes. */
const UTF8_MOST = 3

let scratch = Buffer.allocUnsafeSlow(KEPT_BYTES)

/** Bytes behind a short text of ASCII, as one argument: joined where they are written, not in a buffer of their own. */
export class Prefixed {
  readonly prefix: string
  readonly bytes: Buffer

  constructor(prefix: string, bytes: Buffer) {
    this.prefix = prefix
    this.bytes = bytes
  }
}

export type Argument = string | Buffer | Prefixed

/** Returns `FCALL name numkeys keys… args…` in RESP. */
export function encodeFcall(name: string, keys: readonly string[], args: readonly Argument[]): Buffer {
  let text = `*${3 + keys.length + args.length}\r\n$5\r\nFCALL\r\n${bulk(name)}${bulk(String(keys.length))}`
  for (const key of keys) text += bulk(key)
  let at = 0
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (typeof arg === 'string') {
      text += bulk(arg)
      continue
    }
    const isPrefixed = arg instanceof Prefixed
    const bytes = isPrefixed ? arg.bytes : arg
    // Texts are joined and written at once; a write of each would cost more than the rest.
    text += isPrefixed ? `$${arg.prefix.length + bytes.length}\r\n${arg.prefix}` : `$${bytes.length}\r\n`
    at = append(text, at, bytes.length)
    scratch.set(bytes, at)
    at += bytes.length
    text = '\r\n'
  }
  at = append(text, at, 0)
  const bytes = Buffer.allocUnsafe(at)
  scratch.copy(bytes, 0, 0, at)
  if (scratch.length > KEPT_BYTES) scratch = Buffer.allocUnsafeSlow(KEPT_BYTES)
  return bytes
}

/** Returns a command and its arguments in RESP. */
export function encodeCommand(...words: readonly string[]): string {
  let text = `*${words.length}\r\n`
  for (const word of words) text += bulk(word)
  return text
}

/** A shorter message is joined: a part costs more than its copy. */
const JOINED_BYTES = 16_384
const END = Buffer.from('\r\n')

/** Writes `SPUBLISH channel message` to a socket but for its last bytes, which are returned. */
export function writePublish(socket: Socket, channel: string, message: readonly Buffer[]): Buffer {
  let length = 0
  for (const part of message) length += part.length
  const head = Buffer.from(`*3\r\n$8\r\nSPUBLISH\r\n${bulk(channel)}$${length}\r\n`)
  if (length <= JOINED_BYTES) return Buffer.concat([head, ...message, END])
  socket.cork()
  socket.write(head)
  for (const part of message) socket.write(part)
  process.nextTick(() => socket.uncork())
  return END
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`

/** Writes text at `at`, with room for `more` bytes behind it. Returns where it ends. */
function append(text: string, at: number, more: number): number {
  const most = at + text.length * UTF8_MOST + more
  if (most > scratch.length) {
    const larger = Buffer.allocUnsafeSlow(most * 2)
    scratch.copy(larger, 0, 0, at)
    scratch = larger
  }
  return at + scratch.write(text, at)
}
