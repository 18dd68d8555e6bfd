/** Requests and turns made by hand, for tests that need no space. */
import type { Logger } from '../../src/log.js'
import { ByteBudget } from '../../src/request/streams/byte-budget.js'
import { Copies } from '../../src/request/streams/copies.js'
import { StreamWriter } from '../../src/request/streams/writer.js'
import type { HeldRequest, HttpRequest, HttpResponse, ResponseHead } from '../../src/request.js'
import { WorkerCounters } from '../../src/runtime/counters.js'
import type { Due } from '../../src/runtime/deadlines.js'
import type { TurnContext } from '../../workers/handler.js'
import { OverrunHandlers } from '../../workers/overrun.js'
import type { Turn } from '../../workers/turn.js'

export function requestOf(parts: Partial<HttpRequest> & { target?: string } = {}): HttpRequest {
  const body = parts.body ?? Buffer.alloc(0)
  return {
    method: 'GET',
    target: '/',
    httpVersion: '1.1',
    headers: ['Host', 'example.org', ...(body.length > 0 ? ['Content-Length', String(body.length)] : [])],
    peer: '127.0.0.1',
    secure: false,
    ...parts,
    body,
  }
}

/** Resolves when the turn has settled. */
export const ranOf = (turn: Turn): Promise<void> => new Promise((resolve) => turn.run(resolve))

export interface Watched extends HeldRequest {
  /** What was called on it, in order. */
  readonly calls: string[]
  readonly answers: HttpResponse[]
}

/** A request in the hand, with everything that happens to it written down. */
export function takenOf(request: HttpRequest, parts: Partial<HeldRequest> = {}): Watched {
  const calls: string[] = []
  const answers: HttpResponse[] = []
  return {
    id: 'r1',
    service: 'web',
    priority: 0,
    attempt: 1,
    remainingMs: 30_000,
    waitedMs: 0,
    repeatable: true,
    isDoubtful: false,
    request,
    async start() {
      calls.push('start')
      return true
    },
    async complete(response) {
      calls.push('complete')
      answers.push(response)
      return true
    },
    async progress() {
      calls.push('progress')
    },
    async release() {
      calls.push('release')
    },
    responseStarted: false,
    startResponse(): never {
      throw new Error('there is no space')
    },
    releaseSlot() {},
    breakOff() {},
    isKept: false,
    isTransacting: false,
    get transaction(): never {
      throw new Error('there is no space')
    },
    ...parts,
    calls,
    answers,
  }
}

/** Whoever looks on at a turn that has no loop; when something is due, the test says so. */
export function watchOf() {
  const watched: Due[] = []
  const deadlines = { watch: (due: Due) => void watched.push(due) }
  return { logger: listening(), counters: new WorkerCounters(), overrun: new OverrunHandlers(64), deadlines, watched }
}

/** The part of a turn that a handler sees, of a request that is never cut unless the test does it. */
export interface Context extends TurnContext {
  cut(): void
  readonly afterthoughts: unknown[]
  /** The heads that the answer began with, if it was sent off bit by bit. */
  readonly heads: readonly ResponseHead[]
  /** All of the answer, also of one that was sent off bit by bit. */
  gathered(response: HttpResponse): Promise<HttpResponse>
}

export function contextOf(): Context {
  const controller = new AbortController()
  const afterthoughts: unknown[] = []
  const heads: ResponseHead[] = []
  const chunks: Buffer[] = []
  const room = new ByteBudget(Number.POSITIVE_INFINITY)
  let got = 0
  // Its reader is at hand and takes everything.
  const outlet: StreamWriter = new StreamWriter({
    most: 1 << 20,
    room,
    copies: new Copies(),
    send(letter, _place, bytes) {
      // Their memory is used again once they have arrived.
      if (letter === 'd') chunks.push(Buffer.from(bytes))
      if (letter === 'd') got += bytes.length
      const arrived = got
      queueMicrotask(() =>
        outlet.heard('reader', 'g', `${arrived} ${arrived + (1 << 20)}${letter === 'e' ? ' e' : ''}`),
      )
    },
    onOver: () => {},
  })
  outlet.open('reader')
  return {
    id: 'r1',
    service: 'web',
    priority: 0,
    attempt: 1,
    deadline: Number.POSITIVE_INFINITY,
    signal: controller.signal,
    get wasCut() {
      return controller.signal.aborted
    },
    get transaction(): never {
      throw new Error('there is no space')
    },
    startResponse(head) {
      heads.push(head)
      return outlet
    },
    async gathered(response) {
      if (heads.length === 0) return response
      outlet.end(Buffer.alloc(0))
      await outlet.over
      const last = heads.at(-1)!
      // After interim heads only, the answer itself is whole.
      if (last.status < 200) return response
      return { ...response, ...last, body: Buffer.concat(chunks) }
    },
    heads,
    isTraced: false,
    route: undefined,
    onCut: undefined,
    client: { address: '127.0.0.1', protocol: 'http', host: 'example.org' },
    afterthoughts,
    progress: async () => {},
    runsOn() {},
    tooLate: (error) => void afterthoughts.push(error),
    fail: () => false,
    cut() {
      const reason = new Error('cut')
      controller.abort(reason)
      this.onCut?.(reason)
    },
  }
}

export interface Logged {
  readonly level: string
  readonly fields: Record<string, unknown>
  readonly message: string
}

export function listening(): Logger & { readonly lines: Logged[] } {
  const lines: Logged[] = []
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, message })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
