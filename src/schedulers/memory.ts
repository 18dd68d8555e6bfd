/**
 * The scheduler of an in-memory space: jobs are kept in the process and run by timers; each ends as it would on Redis.
 */

import { wallMs } from '../clock.js'
import { MemoryEngine } from '../engines/memory/index.js'
import { within } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { attemptId } from '../tasks/attempt.js'
import { failureOf } from '../tasks/failure.js'
import { Agenda, type Attendant, type LaterJob } from './agenda.js'
import { type RunningScheduler, serveAsked } from './asked.js'
import type { SchedulerTerms } from './bullmq.js'
import type { Job, JobResult } from './job.js'
import { Underway } from './underway.js'

/** The group of its attempts' progress. */
const GROUP = 'later'
const LAST_WORDS_MS = 1_000

/** Schedulers of a space share one agenda: a job that one leaves is the next one's. */
const agendas = new WeakMap<object, Agenda>()

function agendaOf({ engine }: Space): Agenda {
  const shared = engine instanceof MemoryEngine ? engine.world : engine
  let agenda = agendas.get(shared)
  if (!agenda) {
    agenda = new Agenda()
    agendas.set(shared, agenda)
  }
  return agenda
}

export async function runInMemory(
  terms: Pick<SchedulerTerms, 'space' | 'concurrency' | 'stopTimeoutMs' | 'logger'>,
): Promise<RunningScheduler> {
  const { space, concurrency, stopTimeoutMs, logger } = terms
  const agenda = agendaOf(space)
  const over = new AbortController()
  const underway = new Underway(space, GROUP, over.signal, logger)

  const perform = async (job: LaterJob): Promise<void> => {
    const attempt = attemptOf(job)
    const verdict = await underway.run(attempt).catch((error): JobResult | undefined => {
      if (over.signal.aborted) return undefined
      logger.error({ id: job.id, err: error }, 'an attempt of a later task could not be finished')
      const failure = failureOf(error)
      return attempt.isLast ? { kind: 'over', failure } : { kind: 'again', failure, inMs: undefined }
    })
    if (!verdict) return agenda.putBack(job)
    if (verdict.kind === 'again') {
      const dueAt = wallMs() + (verdict.inMs ?? attempt.nextInMs)
      agenda.putBack({ ...job, attemptsMade: attempt.number, dueAt })
    } else {
      agenda.over(job)
      agenda.look()
    }
    underway.forget(attempt.id)
  }
  const attendant: Attendant = {
    get hasRoom() {
      return underway.size < concurrency
    },
    begin: (job) => void perform(job),
  }

  await underway.followProgress()
  agenda.attend(attendant)
  const serving = await serveAsked(space, agenda, logger)
  return {
    async stop() {
      await within(LAST_WORDS_MS, serving.stop()).catch(() => {})
      agenda.leave(attendant)
      await within(stopTimeoutMs, underway.idle())
      over.abort(new DOMException('The scheduler was stopped.', 'AbortError'))
      underway.close()
      // Cut attempts put their jobs back on the agenda.
      await within(LAST_WORDS_MS, underway.idle())
    },
  }
}

function attemptOf(job: LaterJob): Job {
  const { id, number, attempts, attemptsMade, backoff, task, input, service, priority, timeoutMs } = job
  const made = attemptsMade + 1
  const retries = { attempts, backoff, service, priority, timeoutMs }
  const delayMs = backoff?.delayMs ?? 0
  return {
    id: attemptId([GROUP, id, String(number), String(attemptsMade)]),
    number: made,
    group: GROUP,
    isLast: made >= attempts,
    nextInMs: backoff?.kind === 'exponential' ? 2 ** attemptsMade * delayMs : delayMs,
    task,
    input,
    service,
    priority,
    timeoutMs,
    trace: job.trace,
    ticket: job.ticket,
    leaseMs: job.leaseMs,
    options: JSON.stringify(retries),
  }
}
