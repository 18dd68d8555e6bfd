/** createScheduler: looks after what is due later, again and again, or after a failure; BullMQ keeps it until it is due. */
import { SpaceError } from './errors.js'
import { type Logger, silent } from './log.js'
import { onlyKnown } from './options.js'
import type { Running } from './schedulers/bullmq.js'
import { type Service, service as serviceOf } from './service.js'
import type { Space } from './space.js'

export interface SchedulerOptions {
  /** Where due tasks are written, and where it is asked for later ones. The scheduler is stopped before the space closes. */
  readonly space: Space
  /** The Redis of its BullMQ queues. Default: that of the space. */
  readonly url?: string
  /** Queues of BullMQ producers: their jobs are done by workers that have a task of the job's name. Default: none. */
  readonly fromQueues?: readonly string[]
  /** Which workers the jobs of these queues are for. Default `web`. */
  readonly service?: string
  /** How long a task of these queues may take from when it is due, in ms. Default a day. */
  readonly timeoutMs?: number
  /** How many jobs of a queue are with workers at a time, an integer ≥ 1. Default 1 000. */
  readonly concurrency?: number
  /** How long `stop()` waits for jobs that are with workers, in ms. What is left another scheduler takes over. Default 5 000. */
  readonly stopTimeoutMs?: number
  /** A pino instance or anything like it. Default: none, nothing is logged. */
  readonly logger?: Logger
}

export interface Scheduler extends Service, AsyncDisposable {
  /** @throws SpaceError SPACE_UNREACHABLE, REDIS_REFUSED */
  start(): Promise<void>
  /** Takes nothing new, and leaves what is under way to another scheduler or to its next start. Always returns, within stopTimeoutMs + 3 s. */
  stop(): Promise<void>
  /** The name of the BullMQ queue in which later tasks stand; for bull-board and other tools. */
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

/** BullMQ makes keys of it, with colons between their parts; percent-encoding leaves none. */
export const queueNameOf = (spaceName: string): string => `takespace.${encodeURIComponent(spaceName)}`

/**
 * Makes a scheduler: what is enqueued with `delayMs`, `at` or `attempts`, and what `client.schedule` says, is kept by BullMQ until it is due and
 * is written into the space then. Several may run, in processes of their own (`takespace scheduler`) or beside a gateway; each job is written
 * once, also if the scheduler that had it is killed.
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
  if (typeof url !== 'string') throw wrong('A scheduler stands on a Redis: give its url, or a space that is on one.')
  const isName = (name: unknown): boolean => typeof name === 'string' && name !== '' && !name.includes(':')
  if (!Array.isArray(fromQueues) || !fromQueues.every(isName)) {
    throw wrong('fromQueues is a list of names of BullMQ queues, without a colon.')
  }
  if (typeof service !== 'string' || service === '') throw wrong('service is a text of at least one character.')
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1) || timeoutMs > 2 ** 31 - 1) {
    throw wrong('timeoutMs is milliseconds from 1 to 2147483647.')
  }
  if (!Number.isInteger(concurrency) || concurrency < 1) throw wrong('concurrency is an integer ≥ 1.')
  if (typeof stopTimeoutMs !== 'number' || !(stopTimeoutMs >= 0)) throw wrong('stopTimeoutMs is milliseconds ≥ 0.')
  if (typeof logger?.error !== 'function') throw wrong('logger is a pino instance or has debug, info, warn and error.')

  const queueName = queueNameOf(space.name)
  let running: Running | undefined
  const start = async (): Promise<void> => {
    // Loaded when needed: it is large, and most processes need none of it.
    const { run } = await import('./schedulers/bullmq.js')
    running = await run({ space, url, queueName, fromQueues, service, timeoutMs, concurrency, stopTimeoutMs, logger })
    logger.info({ queue: queueName, fromQueues }, 'the scheduler looks after what is due later')
  }
  const stop = async (): Promise<void> => {
    await running?.stop()
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

const wrong = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)
