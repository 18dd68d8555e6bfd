/** Crash: an error that nothing has caught, and the request in whose async context it was thrown. */
import type { Logger } from '../src/log.js'
import { currentTurn } from './current.js'

/**
 * Whose error it is:
 *  - `request`: of a request that was in flight, and has failed now;
 *  - `listener`: of a listener that the end of a request has called;
 *  - `ended`: of code that a request has left behind, for example a connection that it opened for all;
 *  - `none`: of no request.
 */
export type Attribution = 'request' | 'listener' | 'ended' | 'none'

/** To be called by an `uncaughtException` listener. Logs the error, and fails the request whose error it is. */
export function attribute(error: unknown, logger: Logger): Attribution {
  const context = currentTurn()
  if (!context) {
    logger.error({ err: error }, 'an error outside of every request was not caught')
    return 'none'
  }
  const { turn, isCutListener } = context
  const fields = { id: turn.id, service: turn.service, err: error }
  // A call that was given the signal rejects with its reason, and nothing has waited for the call.
  if (isCutListener || (turn.wasCut && turn.signal.reason === error)) {
    logger.error(fields, 'a listener of a request that is over failed')
    return 'listener'
  }
  if (turn.fail(error)) return 'request'
  logger.error(fields, 'an error was not caught, in the context of a request that is over')
  return 'ended'
}
