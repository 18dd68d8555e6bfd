/** Requests and turns made by hand, for tests that need no space. */
import type { Logger } from '../../src/log.js'
import type { HttpRequest, HttpResponse, Taken } from '../../src/request.js'
import { WorkerTally } from '../../src/tally.js'
import type { Due } from '../../workers/deadlines.js'
import type { TurnContext } from '../../workers/handler.js'
import { Strays } from '../../workers/strays.js'

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

export interface Watched extends Taken {
  /** What was called on it, in order. */
  readonly calls: string[]
  readonly answers: HttpResponse[]
}

/** A request in the hand, with everything that happens to it written down. */
export function takenOf(request: HttpRequest, parts: Partial<Taken> = {}): Watched {
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
  return { logger: listening(), tally: new WorkerTally(), strays: new Strays(), deadlines, watched }
}

/** The part of a turn that a handler sees, of a request that is never cut unless the test does it. */
export function contextOf(): TurnContext & { cut(): void; readonly afterthoughts: unknown[] } {
  const controller = new AbortController()
  const afterthoughts: unknown[] = []
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
    onCut: undefined,
    afterthoughts,
    progress: async () => {},
    tooLate: (error) => void afterthoughts.push(error),
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
