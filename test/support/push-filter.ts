/** Removes messages that a server pushes (RESP3, `>`) from a stream of replies, and passes all else on byte for byte. */

const CRLF = '\r\n'

/** Returns where the value at `at` ends; -1 while it is incomplete. */
function endOf(bytes: Buffer, at: number): number {
  const eol = bytes.indexOf(CRLF, at)
  if (eol < 0) return -1
  const mark = String.fromCharCode(bytes[at] as number)
  const count = Number(bytes.toString('latin1', at + 1, eol))
  let end = eol + 2
  if (mark === '$' || mark === '=' || mark === '!') {
    if (count < 0) return end
    end += count + 2
    return end <= bytes.length ? end : -1
  }
  const items = mark === '*' || mark === '>' || mark === '~' ? count : mark === '%' || mark === '|' ? 2 * count : 0
  for (let i = 0; i < items; i++) {
    end = endOf(bytes, end)
    if (end < 0) return -1
  }
  return end
}

export class PushFilter {
  readonly #onLost: () => void
  /** The beginning of a value whose rest has not come. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(onLost: () => void) {
    this.#onLost = onLost
  }

  pass(chunk: Buffer, drop: boolean): Buffer {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const kept: Buffer[] = []
    let at = 0
    while (at < bytes.length) {
      const end = endOf(bytes, at)
      if (end < 0) break
      const value = bytes.subarray(at, end)
      if (drop && value[0] === 62 && value.includes('smessage')) this.#onLost()
      else kept.push(value)
      at = end
    }
    this.#rest = bytes.subarray(at)
    return kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept)
  }
}
