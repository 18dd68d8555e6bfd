/** currentRequest(): the request that the running code belongs to, anywhere below a handler. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { SpaceError } from '../src/errors.js'
import type { HttpRequest, HttpResponse, Rest } from '../src/request.js'
import type { CurrentRequest, Handler, TurnContext } from './handler.js'

/** The context of listeners that a cut calls: those of the signal, and those of the closed connection. */
class CutListeners {
  readonly turn: TurnContext

  constructor(turn: TurnContext) {
    this.turn = turn
  }
}

const current = new AsyncLocalStorage<TurnContext | CutListeners>()

/** Runs the handler so that everything that it calls or awaits can read its request. */
export const runCurrent = (turn: TurnContext, handle: Handler, request: HttpRequest): Promise<HttpResponse> =>
  current.run(turn, handle, request, turn)

/** Calls the listeners of a cut, so that they and everything that they start can read the request of their turn. */
export const runCutListeners = (turn: TurnContext, call: () => void): void => current.run(new CutListeners(turn), call)

/**
 * Returns the turn that the running code belongs to; undefined outside. `isCutListener`: a cut has set the code off.
 */
export function currentTurn(): { readonly turn: TurnContext; readonly isCutListener: boolean } | undefined {
  const context = current.getStore()
  if (!context) return undefined
  return context instanceof CutListeners
    ? { turn: context.turn, isCutListener: true }
    : { turn: context, isCutListener: false }
}

/**
 * Returns `rest` whose reader runs in the context of the turn. What the reader throws, for example a listener for
 * `data`, is thrown again as an error that the handler did not catch: the caller is the connection of all requests.
 */
export function restIn(turn: TurnContext, rest: Rest): Rest {
  const guarded = <T>(call: () => T, otherwise: T): T =>
    current.run(turn, () => {
      try {
        return call()
      } catch (error) {
        process.nextTick(() => {
          throw error
        })
        return otherwise
      }
    })
  return {
    ...rest,
    read: (reader) =>
      rest.read({
        onChunk: (chunk) => guarded(() => reader.onChunk(chunk), true),
        onEnd: (trailers) => guarded(() => reader.onEnd(trailers), undefined),
        onBroken: (reason) => guarded(() => reader.onBroken(reason), undefined),
      }),
  }
}

/**
 * Returns the request that is being handled, from anywhere below its handler: after awaits, in timers, in callbacks, in
 * the listeners of its signal.
 *
 * @returns its `id`, `service`, `priority`, `attempt` (1 on the first delivery), `deadline` (ms since 1970), `signal`,
 *   `transaction` and `client` (`address`, `protocol`, `host`)
 * @throws SpaceError INVALID_ARGUMENT outside of a handler
 * @example
 * app.get('/report', async (req, res) => {
 *   const { id, signal } = currentRequest()
 *   res.json(await slowQuery({ tag: id, signal }))
 * })
 */
export function currentRequest(): CurrentRequest {
  const context = current.getStore()
  if (!context) throw new SpaceError('INVALID_ARGUMENT', 'currentRequest() has an answer only while a handler runs.')
  return context instanceof CutListeners ? context.turn : context
}
