/** The offer of a worker with tasks, and the dead letters of tasks that failed for good. */
import type { TaskOffer } from '../request/serve.js'
import { deadLetterFor, failureInResponse } from './failed-task.js'
import { deadLettersOnFailure } from './message.js'

export const taskOffer = (names: readonly string[]): TaskOffer => ({
  names,
  deadLetterOf({ id, service, request, attempt, priority }, response) {
    if (!deadLettersOnFailure(request)) return undefined
    const failed = failureInResponse(response)
    return failed && deadLetterFor(`${id}.letter`, service, request, { ...failed, attempts: attempt }, priority)
  },
})
