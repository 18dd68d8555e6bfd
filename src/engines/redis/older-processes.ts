/** The refusal of what the layout of older processes lacks (decision 0028). */
import { SpaceError } from '../../errors.js'
import type { Reply } from './wire/ask.js'

/** Returns the error of a refusal, which names the presences of older processes. `what` is refused beside them. */
export function olderProcesses({ values }: Reply, what: string): SpaceError {
  const presences = values[0]!.toString('latin1').split(' ').slice(1)
  return new SpaceError('OLDER_PROCESSES', `${what} Their presences: ${presences.join(', ')}.`)
}
