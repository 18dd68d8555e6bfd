/** Tells the space the ending of a turn: once, because that returns the credit for the next request. */
import { isSpaceError } from '../src/errors.js'
import type { HeldRequest, HttpResponse } from '../src/request.js'
import type { Ending } from '../src/runtime/counters.js'

/**
 * Completes or releases a request. Resolves to false if the space has refused the response. `onUncommitted` returns the
 * response if the transaction of the request cannot be committed.
 */
export function settle(
  held: HeldRequest,
  ending: Ending,
  hasStarted: boolean,
  response: HttpResponse,
  onUncommitted: (error: unknown) => HttpResponse,
): Promise<unknown> {
  if (ending === 'lost') return held.release()
  // A request that has not run, or may run twice, goes to another worker. Any other is answered: 502 now is better than
  // 504 later.
  if (ending === 'stopped' && (held.repeatable || !hasStarted)) return held.release()
  // After `late` the response is of no use; completing returns the credit.
  return held.isTransacting ? commit(held, response, onUncommitted) : held.complete(response)
}

async function commit(
  held: HeldRequest,
  response: HttpResponse,
  onUncommitted: (error: unknown) => HttpResponse,
): Promise<boolean> {
  try {
    return await held.complete(response)
  } catch (error) {
    if (!isSpaceError(error, 'SPACE_FULL') && !isSpaceError(error, 'TRANSACTION_ENDED')) throw error
    return held.complete(onUncommitted(error))
  }
}
