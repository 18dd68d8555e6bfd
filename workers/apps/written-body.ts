/** Decodes the body of a response that an app has written by hand, by the framing of its head (RFC 9112 §6.3). */
import { SpaceError } from '../../src/errors.js'
import { isBodiless } from '../../src/request/http.js'
import type { ResponseHead } from '../../src/request.js'

export interface WrittenBody {
  /** Returns the content in the next bytes; bytes behind the end of the body are dropped. Throws BAD_RESPONSE. */
  read(bytes: Buffer): Buffer
  /** True once the body has ended by itself. */
  readonly isComplete: boolean
  /** True if the end of the connection completes the body. */
  readonly mayEnd: boolean
}

/** Returns the body behind this head, in the response to a request of this method. Throws BAD_RESPONSE. */
export function bodyBehind({ status, headers }: ResponseHead, method: string): WrittenBody {
  const valuesOf = (name: string): string[] =>
    headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name)
  if (isBodiless(status, method)) return new SizedBody(0)
  if (valuesOf('transfer-encoding').length > 0) return new ChunkedBody()
  const [length, ...others] = valuesOf('content-length')
  if (length === undefined) return new UnsizedBody()
  if (!/^\d{1,15}$/.test(length) || others.length > 0) throw bad(`Its content-length is ${[length, ...others]}.`)
  return new SizedBody(Number(length))
}

class SizedBody implements WrittenBody {
  #left: number

  constructor(length: number) {
    this.#left = length
  }

  get isComplete(): boolean {
    return this.#left === 0
  }

  get mayEnd(): boolean {
    return this.isComplete
  }

  read(bytes: Buffer): Buffer {
    const content = bytes.subarray(0, this.#left)
    this.#left -= content.length
    return content
  }
}

/** Ends with its connection. */
class UnsizedBody implements WrittenBody {
  readonly isComplete = false
  readonly mayEnd = true

  read(bytes: Buffer): Buffer {
    return bytes
  }
}

const LONGEST_LINE = 16_384
const NEWLINE = 10

class ChunkedBody implements WrittenBody {
  /** What the next bytes are: a line, or the content of a chunk. */
  #next: 'size' | 'content' | 'behind content' | 'trailer' = 'size'
  #left = 0
  /** The bytes of an incomplete line. */
  #line = ''
  isComplete = false

  get mayEnd(): boolean {
    return this.isComplete
  }

  read(bytes: Buffer): Buffer {
    const content: Buffer[] = []
    for (let at = 0; at < bytes.length && !this.isComplete; ) {
      const rest = bytes.subarray(at)
      if (this.#next === 'content') {
        const part = rest.subarray(0, this.#left)
        content.push(part)
        this.#left -= part.length
        at += part.length
        if (this.#left === 0) this.#next = 'behind content'
        continue
      }
      const end = rest.indexOf(NEWLINE)
      const part = end < 0 ? rest : rest.subarray(0, end)
      this.#line += part.toString('latin1')
      at += part.length + 1
      if (this.#line.length > LONGEST_LINE) throw bad('A line of its chunked body is too long.')
      if (end >= 0) this.#read(this.#line.replace(/\r$/, ''))
    }
    return Buffer.concat(content)
  }

  #read(line: string): void {
    this.#line = ''
    if (this.#next === 'trailer') {
      this.isComplete = line === ''
      return
    }
    if (this.#next === 'behind content') {
      if (line !== '') throw bad('A chunk of its body is longer than its size.')
      this.#next = 'size'
      return
    }
    const [, size] = /^([\da-f]{1,12})[\t ]*(?:;.*)?$/i.exec(line) ?? []
    if (size === undefined) throw bad('The size of a chunk of its body is malformed.')
    this.#left = Number.parseInt(size, 16)
    this.#next = this.#left === 0 ? 'trailer' : 'content'
  }
}

const bad = (detail: string): SpaceError => new SpaceError('BAD_RESPONSE', detail)
