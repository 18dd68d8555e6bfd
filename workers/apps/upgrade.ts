/**
 * Runs the 'upgrade' listeners of an app's http.Server (ws, @fastify/websocket, @hono/node-ws, socket.io): they get the
 * request and a socket, and write the head of the response themselves. An app without such listeners gets an ordinary
 * request, as from Node's server.
 */
import { AsyncResource } from 'node:async_hooks'
import type { EventEmitter } from 'node:events'
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import type { Sink } from '../../src/request/streams/collector.js'
import type { HttpRequest, HttpResponse, ResponseHead } from '../../src/request.js'
import type { Handler, TurnContext } from '../handler.js'
import { incoming } from './node.js'
import { UpgradedSocket } from './upgraded-socket.js'

const LONGEST_HEAD = 65_536
const NOTHING = Buffer.alloc(0)

/** Gives upgrades to the listeners of `server`, and all other requests to `handle`. */
export const onServer =
  (server: EventEmitter | undefined, handle: Handler): Handler =>
  (request, turn) => {
    if (request.more !== 'upgrade') return handle(request, turn)
    if (server && server.listenerCount('upgrade') > 0) return upgraded(server, request, turn)
    return handle(plainly(request), turn)
  }

/** Returns the request without the upgrade. */
function plainly(request: HttpRequest): HttpRequest {
  request.rest?.cancel()
  return { ...request, body: NOTHING, more: undefined, rest: undefined }
}

function upgraded(server: EventEmitter, request: HttpRequest, turn: TurnContext): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const answer = new RawAnswer(turn)
    const socket = new UpgradedSocket(request, server, answer)
    socket.on('close', () => {
      turn.onCut = undefined
      try {
        resolve(answer.end())
      } catch (error) {
        reject(error)
      }
    })
    // An 'error' without a listener would end the process.
    socket.on('error', () => {})
    turn.onCut = () => void socket.destroy()
    const req = incoming({ ...request, body: NOTHING, rest: undefined }, socket)
    server.emit('upgrade', req, socket, NOTHING)
  })
}

/** Parses what the app writes: a head, then bytes of the new protocol after 101, else a body. */
class RawAnswer {
  readonly #turn: TurnContext
  #text = NOTHING
  #head: ResponseHead | undefined
  #sink: Sink | undefined
  readonly #body: Buffer[] = []

  constructor(turn: TurnContext) {
    this.#turn = turn
  }

  /** `done` is called when there is room for more. */
  write(chunk: Buffer, done: () => void): void {
    let bytes = chunk
    if (!this.#head) {
      this.#text = Buffer.concat([this.#text, chunk])
      const end = this.#text.indexOf('\r\n\r\n')
      if (end < 0 && this.#text.length > LONGEST_HEAD) throw bad('Its head does not end.')
      if (end < 0) return done()
      this.#head = parsed(this.#text.toString('latin1', 0, end))
      bytes = this.#text.subarray(end + 4)
      if (this.#head.status === 101) this.#sink = this.#turn.startResponse(this.#head)
    }
    const sink = this.#sink
    if (!sink) this.#body.push(bytes)
    else if (!sink.write(bytes) && sink.isOpen) {
      let waiting = true
      const goOn = (): void => {
        if (waiting) done()
        waiting = false
      }
      // In the context of the handler, and not in a call of the connection of all requests: listeners may throw.
      sink.onDrain = AsyncResource.bind(() => process.nextTick(goOn))
      void sink.over.then(goOn)
      return
    }
    done()
  }

  /** Returns the response; bytes after a 101 have been sent already. */
  end(): HttpResponse {
    if (!this.#head) throw bad('The connection was closed without an answer.')
    return { ...this.#head, body: this.#sink ? NOTHING : Buffer.concat(this.#body) }
  }
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

const bad = (detail: string): SpaceError => new SpaceError('BAD_RESPONSE', detail)
