/** Tasks as a handler: each request names one of a worker's functions, and its result is the response. */
import { SpaceError } from '../src/errors.js'
import type { Logger } from '../src/log.js'
import type { HttpResponse } from '../src/request.js'
import type { TaskEnding, WorkerCounters } from '../src/runtime/counters.js'
import { failureOf, gaveUpFor } from '../src/tasks/failure.js'
import {
  decodeCall,
  encodeOutcome,
  isTaskName,
  TASK_NAME_RULE,
  type TaskCall,
  type TaskOutcome,
} from '../src/tasks/message.js'
import { encodeProgress } from '../src/tasks/progress.js'
import { GiveUp, RetryIn } from '../src/tasks.js'
import type { CurrentRequest, Handler, TurnContext } from './handler.js'

/** The second argument of a task: what `currentRequest()` returns, and `task` and `progress`. */
export interface TaskContext extends Omit<CurrentRequest, 'client'> {
  readonly task: string
  /**
   * Reports progress to the ticket of an enqueued task: any value of at most 2 000 bytes as JSON. Reports that come
   * faster than the space takes them are dropped, but not the last one. Need not be awaited; does not reject if the
   * space is away.
   *
   * @throws SpaceError INVALID_ARGUMENT if the value is too large, INVALID_ENTRY if it cannot be stored
   */
  progress(value: unknown): Promise<void>
}

/**
 * A task: its return value is the result, an error a failure; `retryIn` and `giveUp` make other outcomes to return.
 * @example export const tasks = { resize: async (input: { width: number }, { signal }: TaskContext) => ({ ok: true }) }
 */
// biome-ignore lint/suspicious/noExplicitAny: each task has an input of its own
export type Task = (input: any, context: TaskContext) => unknown

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedTasks(tasks: unknown): ReadonlyMap<string, Task> {
  const wrong = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)
  if (typeof tasks !== 'object' || tasks === null) throw wrong('tasks is an object of functions, by name.')
  const entries = Object.entries(tasks)
  if (entries.length === 0) throw wrong('tasks has no task.')
  for (const [name, task] of entries) {
    if (!isTaskName(name)) throw wrong(TASK_NAME_RULE)
    if (typeof task !== 'function') throw wrong(`The task ${name} is not a function.`)
  }
  // A map, since a property such as `constructor` or `__proto__` is not a task.
  return new Map(entries)
}

export function taskHandler(tasks: ReadonlyMap<string, Task>, logger: Logger, counters: WorkerCounters): Handler {
  const handle: Handler = async (request, turn) => {
    const called = decodeCall(request)
    let outcome: TaskOutcome
    try {
      const task = tasks.get(called.task)
      if (!task) throw new SpaceError('INVALID_ARGUMENT', `This worker has no task ${called.task}.`)
      outcome = outcomeOf(await task(called.input, new Run(called, turn)))
    } catch (error) {
      report(error, called, turn, logger)
      outcome = { kind: 'failed', failure: failureOf(error, called.stack) }
    }
    // Other names come from whoever sends requests.
    const ended = (ending: TaskEnding): void => void (tasks.has(called.task) && counters.taskEnded(called.task, ending))
    try {
      const response = encodeOutcome(outcome, called.attempt + turn.attempt - 1)
      ended(outcome.kind)
      return response
    } catch (error) {
      ended('failed')
      return failed(error, called, turn, logger)
    }
  }
  handle.failed = (request, error) =>
    encodeOutcome({ kind: 'failed', failure: failureOf(error, decodeCall(request).stack) })
  return handle
}

/** Returns the outcome of a task that has returned. */
function outcomeOf(value: unknown): TaskOutcome {
  if (value instanceof RetryIn) return { kind: 'retry', inMs: value.ms }
  if (value instanceof GiveUp) return { kind: 'gaveUp', failure: gaveUpFor(value.reason) }
  return { kind: 'done', value }
}

/** The outcome if the result cannot be stored. */
function failed(error: unknown, called: TaskCall, turn: TurnContext, logger: Logger): HttpResponse {
  report(error, called, turn, logger)
  return encodeOutcome({ kind: 'failed', failure: failureOf(error, called.stack) })
}

function report(error: unknown, { task }: TaskCall, turn: TurnContext, logger: Logger): void {
  const log = (err: unknown): void => {
    // A task that heeds its signal ends by throwing, as intended.
    if (turn.wasCut) turn.tooLate(err)
    else logger.error({ id: turn.id, service: turn.service, task, err }, 'the task failed')
  }
  try {
    log(error)
  } catch {
    // A logger reads more of an error than can be read of every error.
    log(failureOf(error))
  }
}

/** Getters rather than a copy: most tasks read little of it, and a signal costs something when it is made. */
class Run implements TaskContext {
  readonly task: string
  readonly #attempt: number
  readonly #turn: TurnContext
  #next: Buffer | undefined
  #sending: Promise<void> | undefined

  constructor({ task, attempt }: TaskCall, turn: TurnContext) {
    this.task = task
    this.#attempt = attempt
    this.#turn = turn
  }

  /**
   * Sends one report at a time; of those that come meanwhile the last. Bound, since tasks destructure their context.
   */
  readonly progress = async (value: unknown): Promise<void> => {
    const report = encodeProgress({ progress: value })
    this.#next = report
    if (this.#sending) return this.#sending
    const send = async (): Promise<void> => {
      while (this.#next) {
        const sent = this.#next
        this.#next = undefined
        // If the space is away, a later report will reach it.
        await this.#turn.progress(sent).catch(() => {})
      }
    }
    this.#sending = send().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  get id(): string {
    return this.#turn.id
  }

  get service(): string {
    return this.#turn.service
  }

  get priority(): number {
    return this.#turn.priority
  }

  get attempt(): number {
    return this.#attempt + this.#turn.attempt - 1
  }

  get deadline(): number {
    return this.#turn.deadline
  }

  get signal(): AbortSignal {
    return this.#turn.signal
  }

  get transaction(): CurrentRequest['transaction'] {
    return this.#turn.transaction
  }
}
