/**
 * The response that an app writes by hand on the socket of an `upgrade` listener: 101 and then bytes of the new
 * protocol, or any other response, which ends by its own framing or with the socket.
 */
import { AsyncResource } from 'node:async_hooks'
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import type { Sink } from '../../src/request/streams/collector.js'
import type { HttpResponse, ResponseHead } from '../../src/request.js'
import type { TurnContext } from '../handler.js'
import type { Writing } from './upgraded-socket.js'
import { bodyBehind, type WrittenBody } from './written-body.js'

const LONGEST_HEAD = 65_536
/** A response that takes longer, or is larger, is streamed. */
const SOON_MS = 10
const MOST_KEPT = 65_536
const NOTHING = Buffer.alloc(0)
const CONTINUE = 100
const SWITCHING_PROTOCOLS = 101

export class WrittenAnswer implements Writing {
  readonly #method: string
  readonly #turn: TurnContext
  readonly #onWhole: () => void
  /** The bytes of an incomplete head. */
  #text = NOTHING
  #head: ResponseHead | undefined
  /** Undefined before the head, and behind 101. */
  #body: WrittenBody | undefined
  #content: Buffer[] = []
  #size = 0
  #sink: Sink | undefined
  #streaming: NodeJS.Timeout | undefined
  #error: unknown

  /** `method` is that of the request; `onWhole` is called when the response is complete before its socket ends. */
  constructor(method: string, turn: TurnContext, onWhole: () => void) {
    this.#method = method
    this.#turn = turn
    this.#onWhole = onWhole
  }

  write(chunk: Buffer, done: () => void): void {
    try {
      this.#write(chunk, done)
    } catch (error) {
      this.#error ??= error
      throw error
    }
  }

  #write(chunk: Buffer, done: () => void): void {
    if (this.#body?.isComplete) return done()
    const bytes = this.#head ? chunk : this.#readHead(chunk)
    if (!bytes) return done()
    const content = this.#body?.read(bytes) ?? bytes
    if (this.#sink) passTo(this.#sink, content, done)
    else this.#keep(content, done)
    if (this.#body?.isComplete) this.#onWhole()
  }

  /** Returns the response at the end of the socket; bytes that were streamed are not part of it. Throws BAD_RESPONSE. */
  end(): HttpResponse {
    clearTimeout(this.#streaming)
    if (this.#error) throw this.#error
    if (!this.#head) throw bad('The connection was closed without an answer.')
    // The client gets what there is, and the end of its connection, as from Node.js.
    const isCutShort = this.#body?.mayEnd === false
    if (isCutShort) this.#stream()
    if (this.#error) throw this.#error
    return { ...this.#head, body: this.#sink ? NOTHING : Buffer.concat(this.#content), isCutShort }
  }

  #keep(content: Buffer, done: () => void): void {
    this.#content.push(content)
    this.#size += content.length
    if (this.#size > MOST_KEPT) this.#stream()
    else this.#streaming ??= setTimeout(() => this.#stream(), SOON_MS)
    done()
  }

  #stream(): void {
    clearTimeout(this.#streaming)
    if (this.#sink || this.#body?.isComplete) return
    try {
      this.#sink = this.#turn.startResponse(this.#head!)
      for (const content of this.#content) this.#sink.write(content)
      this.#content = []
    } catch (error) {
      this.#error = error
      this.#onWhole()
    }
  }

  /** Reads interim heads and the final one. Returns the bytes behind that; undefined before. */
  #readHead(chunk: Buffer): Buffer | undefined {
    this.#text = Buffer.concat([this.#text, chunk])
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n')
      if (end < 0 && this.#text.length > LONGEST_HEAD) throw bad('Its head does not end.')
      if (end < 0) return undefined
      const head = parsed(this.#text.toString('latin1', 0, end))
      this.#text = this.#text.subarray(end + 4)
      if (head.status >= 200 || head.status === SWITCHING_PROTOCOLS) {
        this.#begin(head)
        return this.#text
      }
      if (head.status !== CONTINUE) this.#turn.startResponse(head)
    }
  }

  #begin(head: ResponseHead): void {
    if (head.status === SWITCHING_PROTOCOLS) {
      this.#head = head
      this.#sink = this.#turn.startResponse(head)
      return
    }
    this.#body = bodyBehind(head, this.#method)
    const isChunked = head.headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'transfer-encoding')
    this.#head = isChunked ? { ...head, headers: withoutLength(head.headers) } : head
  }
}

/** Writes bytes of an app; `done` is called when there is room for more. */
function passTo(sink: Sink, bytes: Buffer, done: () => void): void {
  if (sink.write(bytes) || !sink.isOpen) return done()
  let waiting = true
  const goOn = (): void => {
    if (waiting) done()
    waiting = false
  }
  // In the context of the handler, and not in a call of the connection of all requests: listeners may throw.
  sink.onDrain = AsyncResource.bind(() => process.nextTick(goOn))
  void sink.over.then(goOn)
}

function parsed(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n')
  const [, status, reason = ''] = /^HTTP\/1\.\d (\d{3})(?: (.*))?$/.exec(first) ?? []
  if (status === undefined) throw bad('It does not begin with a status line.')
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon > 0 ? [line.slice(0, colon), line.slice(colon + 1).trim()] : []
  })
  return { status: Number(status), reason: reason || (STATUS_CODES[status] ?? ''), headers }
}

/** Transfer-Encoding overrides Content-Length (RFC 9112 §6.3). */
const withoutLength = (headers: readonly string[]): string[] =>
  headers.filter((_, i) => headers[i - (i % 2)]!.toLowerCase() !== 'content-length')

const bad = (detail: string): SpaceError => new SpaceError('BAD_RESPONSE', detail)
