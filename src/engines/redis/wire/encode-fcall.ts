/**
 * Encodes a call of a function as it goes over the wire, into one buffer: the client's own encoder joins a text per
 * argument, and a call of the hot path has some hundred.
 */

/** What is kept between calls: longer ones are rare. */
const KEPT_BYTES = 1 << 18
/** The most bytes of UTF-8 that a code unit takes. */
const UTF8_MOST = 3

let scratch = Buffer.allocUnsafeSlow(KEPT_BYTES)

/** Returns `FCALL name numkeys keys… args…` in RESP. */
export function encodeFcall(
  name: string,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Buffer<ArrayBuffer> {
  let text = `*${3 + keys.length + args.length}\r\n$5\r\nFCALL\r\n${bulk(name)}${bulk(String(keys.length))}`
  for (const key of keys) text += bulk(key)
  let at = 0
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (typeof arg === 'string') {
      text += bulk(arg)
      continue
    }
    // Texts are joined and written at once; a write of each would cost more than the rest.
    text += `$${arg.length}\r\n`
    at = append(text, at, arg.length)
    scratch.set(arg, at)
    at += arg.length
    text = '\r\n'
  }
  at = append(text, at, 0)
  const bytes = Buffer.allocUnsafe(at)
  scratch.copy(bytes, 0, 0, at)
  if (scratch.length > KEPT_BYTES) scratch = Buffer.allocUnsafeSlow(KEPT_BYTES)
  return bytes
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
