/**
 * createScheduler: runs tasks that are due later, again and again, or after a failure: with BullMQ on Redis, with
 * timers in memory.
 */

import { controlOf, type Member } from './control.js'
import { onlyKnown } from './errors/unknown-option.js'
import { SpaceError } from './errors.js'
import { type Logger, silent } from './log.js'
import { type Service, service as serviceOf } from './runtime/lifecycle.js'
import type { RunningScheduler } from './schedulers/asked.js'
import type { SchedulerTerms } from './schedulers/bullmq.js'
import { runMoving } from './schedulers/moving.js'
import type { Space } from './space.js'

export interface SchedulerOptions {
  /** The space of the tasks. Closing the space stops the scheduler first. */
  readonly space: Space
  /** The Redis of its BullMQ queues. Default: that of the space; for a space in memory none, and timers are used. */
  readonly url?: string | undefined
  /** BullMQ queues whose jobs are done by workers with a task of the job's name. They need a Redis. Default: none. */
  readonly fromQueues?: readonly string[] | undefined
  /** The service of the jobs of these queues. Default `web`. */
  readonly service?: string | undefined
  /** Time from when a task of these queues is due until it must be done, in ms. Default a day. */
  readonly timeoutMs?: number | undefined
  /** Maximum number of jobs of each queue that are with workers, an integer ≥ 1. Default 1 000. */
  readonly concurrency?: number | undefined
  /**
   * How long `stop()` waits for jobs that are with workers, in ms; another scheduler takes over the rest. Default 5
   * 000.
   */
  readonly stopTimeoutMs?: number | undefined
  /** A pino instance or anything like it. Default: nothing is logged. */
  readonly logger?: Logger | undefined
}

export interface Scheduler extends Service, AsyncDisposable {
  /** @throws SpaceError SPACE_UNREACHABLE, REDIS_REFUSED */
  start(): Promise<void>
  /**
   * Takes nothing new, and leaves unfinished jobs to another scheduler or to its next start. Returns within
   * stopTimeoutMs + 3 s.
   */
  stop(): Promise<void>
  /** The name of its BullMQ queue, for bull-board and other tools; not used in memory. */
  readonly queueName: string
}

const OPTIONS = new Set([
  'space',
  'url',
  'fromQueues',
  'service',
  'timeoutMs',
  'concurrency',
  'stopTimeoutMs',
  'logger',
])

/** BullMQ joins key parts with colons; percent-encoding has none. */
export const queueNameOf = (spaceName: string): string => `takespace.${encodeURIComponent(spaceName)}`

/**
 * Creates a scheduler: tasks with `delayMs`, `at` or `attempts`, and those of `client.schedule`, are kept by BullMQ and
 * written into the space when they are due. Several may run, in processes of their own (`takespace scheduler`) or
 * beside a gateway; each job is written once, even if its scheduler is killed.
 *
 * In an in-memory space the outcomes are the same, but later tasks are kept in this process and end with the space.
 *
 * @throws SpaceError INVALID_ARGUMENT, naming the option
 * @example
 * const scheduler = createScheduler({ space, fromQueues: ['emails'] })
 * await scheduler.start()
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  onlyKnown('createScheduler', options, OPTIONS)
  const { space, fromQueues = [], service = 'web', timeoutMs = 86_400_000, concurrency = 1_000 } = options
  const { stopTimeoutMs = 5_000, logger = silent } = options
  if (typeof space?.adopt !== 'function') throw wrong('space is what openSpace returned.')
  const url = options.url ?? space.engine.server
  if (url !== undefined && typeof url !== 'string') throw wrong('url is the address of a Redis.')
  const isName = (name: unknown): boolean => typeof name === 'string' && name !== '' && !name.includes(':')
  if (!Array.isArray(fromQueues) || !fromQueues.every(isName)) {
    throw wrong('fromQueues is a list of names of BullMQ queues, without a colon.')
  }
  if (url === undefined && fromQueues.length > 0) {
    throw wrong('fromQueues are queues of BullMQ, which stand in a Redis: give its url, or a space that is on one.')
  }
  if (typeof service !== 'string' || service === '') throw wrong('service is a text of at least one character.')
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1) || timeoutMs > 2 ** 31 - 1) {
    throw wrong('timeoutMs is milliseconds from 1 to 2147483647.')
  }
  if (!Number.isInteger(concurrency) || concurrency < 1) throw wrong('concurrency must be an integer ≥ 1.')
  if (typeof stopTimeoutMs !== 'number' || !(stopTimeoutMs >= 0)) throw wrong('stopTimeoutMs is milliseconds ≥ 0.')
  if (typeof logger?.error !== 'function')
    throw wrong('logger must be a pino instance or have the methods debug, info, warn and error.')

  const queueName = queueNameOf(space.name)
  const control = controlOf(space)
  const member: Member = {
    role: 'scheduler',
    services: [],
    tasks: [],
    logger,
    stop: () => scheduler.stop(),
  }
  let running: RunningScheduler | undefined
  const start = async (): Promise<void> => {
    const terms = { space, queueName, fromQueues, service, timeoutMs, concurrency, stopTimeoutMs, logger }
    const { engine } = space
    const isBeside = options.url === undefined && engine.move !== undefined
    running = isBeside
      ? await runMoving(engine.move!, () => startOn(engine.server, terms), logger)
      : await startOn(url, terms)
    await control.join(member)
    logger.info({ queue: queueName, fromQueues }, 'the scheduler has started')
  }
  const stop = async (): Promise<void> => {
    control.stopping(member)
    await running?.stop()
    await control.leave(member)
    space.disown(scheduler)
    logger.info({}, 'the scheduler has stopped')
  }
  const service_ = serviceOf(start, stop)
  const scheduler: Scheduler = {
    start: service_.start,
    stop: service_.stop,
    queueName,
    [Symbol.asyncDispose]: () => service_.stop(),
  }
  space.adopt(scheduler)
  return scheduler
}

/** Loaded when needed: BullMQ is large, and most processes do not need it. */
async function startOn(
  url: string | undefined,
  terms: Omit<SchedulerTerms, 'url' | 'access'>,
): Promise<RunningScheduler> {
  if (url === undefined) {
    const { runInMemory: run } = await import('./schedulers/memory.js')
    return run(terms)
  }
  const { runOnBullmq: run } = await import('./schedulers/bullmq.js')
  const { server, access } = terms.space.engine
  // User and password are for the server of the space only.
  return run({ ...terms, url, access: url === server ? access : undefined })
}

const wrong = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)
