/** currentRequest(): the request that the running code belongs to, anywhere below a handler. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { SpaceError } from '../src/errors.js'
import type { HttpRequest, HttpResponse } from '../src/request.js'
import type { CurrentRequest, Handler, TurnContext } from './handler.js'

const current = new AsyncLocalStorage<CurrentRequest>()

/** Runs the handler so that everything that it calls or awaits can read its request. */
export const runCurrent = (turn: TurnContext, handle: Handler, request: HttpRequest): Promise<HttpResponse> =>
  current.run(turn, handle, request, turn)

export function clientOf({ peer: address, secure, headers }: HttpRequest): CurrentRequest['client'] {
  const host = headers.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'host')
  return { address, protocol: secure ? 'https' : 'http', host: host < 0 ? undefined : headers[host + 1] }
}

/**
 * Returns the request that is being handled, from anywhere below its handler: after awaits, in timers, in callbacks.
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
  const turn = current.getStore()
  if (!turn) throw new SpaceError('INVALID_ARGUMENT', 'currentRequest() has an answer only while a handler runs.')
  return turn
}
