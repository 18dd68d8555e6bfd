/**
 * The scheduler on Redis: BullMQ keeps later tasks and hands each due job to one scheduler; the outcome of the task
 * becomes that of the job.
 */
import { type Job as BullJob, type MinimalJob, Queue, type RepeatOptions, UnrecoverableError, Worker } from 'bullmq'
import { wallMs } from '../clock.js'
import type { Access } from '../engine/access.js'
import { type BullmqConnection, bullmqConnection } from '../engines/redis/wire/bullmq-connection.js'
import { decodeFields, packFields } from '../entry/codec.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { within } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { attemptId } from '../tasks/attempt.js'
import type { LaterTask, RetryOptions } from '../tasks/enqueue.js'
import type { Failure } from '../tasks/failure.js'
import type { Planned, Scheduled } from '../tasks/schedule.js'
import { MOST_PLANNED, type Queueing, type RunningScheduler, serveAsked } from './asked.js'
import type { Job } from './job.js'
import { firingAfter, firstFiring, missedBetween, type Recurrence, recurrenceOf } from './recurrence.js'
import { Underway } from './underway.js'

export interface SchedulerTerms {
  readonly space: Space
  readonly url: string
  readonly access: Access | undefined
  readonly queueName: string
  readonly fromQueues: readonly string[]
  readonly service: string
  readonly timeoutMs: number
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly logger: Logger
}

/** The data of jobs that takespace adds: the options of enqueue and schedule. */
interface Data extends Required<Omit<RetryOptions, 'backoff' | 'attempts' | 'repeatable'>> {
  readonly task: string
  /** Packed like entries: JSON where it is exact. */
  readonly input?: unknown
  readonly ticket?: string
  readonly leaseMs?: number
  readonly trace?: readonly string[] | undefined
}

/** A killed scheduler is detected within these two times; its job is taken over and finds its attempt in the space. */
const LOCK_MS = 6_000
const STALLED_MS = 2_000
/** Each death of a scheduler counts, though the job is not its cause. */
const MOST_STALLED = 1_000_000
/** How long, in s, and how many finished jobs are kept. */
const KEEP_COMPLETED = { age: 24 * 60 * 60, count: 10_000 }
const KEEP_FAILED = { age: 7 * 24 * 60 * 60, count: 10_000 }
/** How long a start waits for the server. */
const READY_MS = 10_000
const LAST_WORDS_MS = 1_000

/** The error of a task that asked to be retried. */
class Later extends Error {
  inMs = 0
}
const ASKED_BACKOFF = 'asked by the task'

export async function runOnBullmq(terms: SchedulerTerms): Promise<RunningScheduler> {
  const { space, url, access, queueName, fromQueues, stopTimeoutMs, logger } = terms
  const bullmq = await bullmqConnection(url, access)
  const over = new AbortController()
  const queue = new Queue<Data>(queueName, {
    connection: bullmq.connection,
    prefix: bullmq.prefix,
    settings: { repeatStrategy },
  })
  queue.on('error', (err) => logger.warn({ err, queue: queueName }, 'BullMQ'))
  const own = new Jobs(terms, queueName, bullmq, over.signal, (job) => ownJob(queueName, job), queue)
  const others = fromQueues.map(
    (name) => new Jobs(terms, name, bullmq, over.signal, (job) => theirJob(terms, name, job), undefined),
  )
  const all = [own, ...others]
  const close = async (): Promise<void> => {
    over.abort(new DOMException('The scheduler was stopped.', 'AbortError'))
    const closed = Promise.allSettled([...all.map((jobs) => jobs.close()), queue.close()])
    if (!(await within(LAST_WORDS_MS, closed))) await within(LAST_WORDS_MS, queue.disconnect()).catch(() => {})
    bullmq.end()
  }
  try {
    const ready = Promise.all([queue.waitUntilReady(), ...all.map((jobs) => jobs.start())])
    ready.catch(() => {})
    if (!(await within(READY_MS, ready))) throw new SpaceError('SPACE_UNREACHABLE', 'BullMQ found no Redis.')
    await ready
    const serving = await serveAsked(space, queueingIn(queue), logger)
    return {
      async stop() {
        await within(LAST_WORDS_MS, serving.stop()).catch(() => {})
        await within(stopTimeoutMs, Promise.all(all.map((jobs) => jobs.drained()))).catch(() => {})
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** The jobs of one queue that this scheduler runs. */
class Jobs {
  readonly #terms: SchedulerTerms
  readonly #name: string
  readonly #jobOf: (job: BullJob) => Job
  readonly #worker: Worker
  readonly #underway: Underway
  /** The queue for missed firings. */
  readonly #queue: Queue<Data> | undefined

  constructor(
    terms: SchedulerTerms,
    name: string,
    { connection, prefix }: BullmqConnection,
    over: AbortSignal,
    jobOf: (job: BullJob) => Job,
    queue: Queue<Data> | undefined,
  ) {
    this.#terms = terms
    this.#name = name
    this.#jobOf = jobOf
    this.#queue = queue
    const { space, concurrency, logger } = terms
    this.#underway = new Underway(space, groupOf(name), over, logger)
    this.#worker = new Worker(name, (job) => this.#process(job), {
      connection,
      prefix,
      autorun: false,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_MS,
      maxStalledCount: MOST_STALLED,
      settings: { backoffStrategy, repeatStrategy },
    })
    this.#worker.on('error', (err) => logger.warn({ err, queue: name }, 'BullMQ'))
    // The outcome is stored in the job.
    for (const event of ['completed', 'failed'] as const) {
      this.#worker.on(event, (job: BullJob | undefined) => job && this.#underway.forget(lastAttemptOf(name, job)))
    }
  }

  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    await this.#underway.followProgress()
    this.#worker.run().catch((err) => this.#terms.logger.error({ err, queue: this.#name }, 'BullMQ takes no jobs'))
  }

  /** Takes nothing new; resolves when its jobs are finished. */
  async drained(): Promise<void> {
    await this.#worker.pause(true)
    await this.#underway.idle()
  }

  async close(): Promise<void> {
    this.#underway.close()
    await this.#worker.close(true)
  }

  async #process(bull: BullJob): Promise<unknown> {
    const job = this.#jobOf(bull)
    if (this.#queue) await missedBefore(this.#queue, bull)
    const onProgress = (progress: unknown): Promise<void> => bull.updateProgress(jsonOf(progress) as object)
    const verdict = await this.#underway.run(job, onProgress)
    if (verdict.kind === 'done') return jsonOf(verdict.value)
    if (verdict.kind === 'over') throw withError(new UnrecoverableError(verdict.failure.message), verdict.failure)
    if (verdict.inMs === undefined) throw withError(new Error(verdict.failure.message), verdict.failure)
    // Replaces the job's own back-off.
    bull.opts.backoff = { type: ASKED_BACKOFF }
    throw Object.assign(new Later(verdict.failure.message), { inMs: verdict.inMs })
  }
}

const groupOf = (queue: string): string => `bull:${queue}`

const attemptIdOf = (queue: string, job: BullJob, attemptsMade: number): string =>
  attemptId([queue, String(job.id), String(job.timestamp), String(attemptsMade)])

/** BullMQ has counted the finished attempt already. */
const lastAttemptOf = (queue: string, job: BullJob): string => attemptIdOf(queue, job, job.attemptsMade - 1)

/** The part of a job that is the same for both kinds. */
function attemptOf(queue: string, job: BullJob) {
  const { attemptsMade, opts } = job
  const number = attemptsMade + 1
  return {
    id: attemptIdOf(queue, job, attemptsMade),
    number,
    group: groupOf(queue),
    isLast: number >= (opts.attempts ?? 1),
    nextInMs: delayOf(opts.backoff, number),
  }
}

function ownJob(queue: string, job: BullJob<Data>): Job {
  const { task, input, service, priority, timeoutMs, ticket, leaseMs, trace } = job.data
  const { attempts = 1, backoff } = job.opts
  const decoded = decodeFields(Buffer.from(JSON.stringify({ input }))) as { input?: unknown }
  const retries = { attempts, backoff: backoffOf(backoff), service, priority, timeoutMs }
  const terms = { task, input: decoded.input, service, priority, timeoutMs, ticket, leaseMs, trace }
  return { ...attemptOf(queue, job), ...terms, options: JSON.stringify(retries) }
}

/**
 * In BullMQ 1 is the highest priority after jobs without one, and greater numbers come later; here it is the other way
 * round.
 */
function theirJob({ service, timeoutMs }: SchedulerTerms, queue: string, job: BullJob): Job {
  const priority = -Math.min(job.opts.priority ?? 0, 128)
  return { ...attemptOf(queue, job), task: job.name, input: job.data, service, priority: priority || 0, timeoutMs }
}

function queueingIn(queue: Queue<Data>): Queueing {
  return {
    async later({
      ticket,
      task,
      input,
      dueAt,
      attempts,
      backoff,
      service,
      priority,
      timeoutMs,
      leaseMs,
      trace,
    }: LaterTask) {
      const data: Data = { task, ...packFields({ input }), service, priority, timeoutMs, ticket, leaseMs, trace }
      // Added a second time, after a scheduler was killed, it is the same job.
      await queue.add(task, data, {
        jobId: ticket,
        delay: Math.max(dueAt - wallMs(), 0),
        ...optionsOf(attempts, backoff),
      })
    },
    async schedule({ name, times, task, input, retries, trace }: Scheduled) {
      const { attempts, backoff, service, priority, timeoutMs } = retries
      const data: Data = { task, ...packFields({ input }), service, priority, timeoutMs, trace }
      const recurrence = recurrenceOf(times)
      // BullMQ would store a schedule that never fires.
      firstFiring(recurrence, wallMs())
      const template = { name: task, data, opts: optionsOf(attempts, backoff) }
      const overdue = await overdueOf(queue, name, recurrence)
      const job = await queue.upsertJobScheduler(name, recurrence as RepeatOptions, template)
      if (overdue.length > 0) await addFirings(queue, name, overdue, template)
      return (job.opts as { prevMillis?: number }).prevMillis ?? job.timestamp + (job.delay ?? 0)
    },
    unschedule: (name) => queue.removeJobScheduler(name),
    async runSchedule(name) {
      const scheduler = await queue.getJobScheduler(name)
      if (!scheduler?.template?.data) return false
      const { attempts, backoff, removeOnComplete, removeOnFail } = scheduler.template.opts ?? {}
      const opts = { attempts, backoff, removeOnComplete, removeOnFail }
      await queue.add(scheduler.name, scheduler.template.data, opts as JobTemplate['opts'])
      return true
    },
    async schedules() {
      const all = await queue.getJobSchedulers(0, MOST_PLANNED - 1, true)
      const planned = all.map(({ key, name, pattern, tz, every, next, template }): Planned => {
        const times = pattern === undefined ? { everyMs: Number(every) } : { cron: pattern, timeZone: tz ?? 'UTC' }
        return { name: key, task: name, service: template?.data?.service ?? '', times, next: Number(next) }
      })
      return planned.sort((a, b) => (a.name < b.name ? -1 : 1))
    },
  }
}

type JobTemplate = Parameters<Queue<Data>['addBulk']>[0][number]

/** Returns the due firings that BullMQ drops when a cron schedule is declared again: it continues from now. */
async function overdueOf(queue: Queue<Data>, name: string, recurrence: Recurrence): Promise<number[]> {
  const before = recurrence.pattern === undefined ? undefined : await queue.getJobScheduler(name)
  const { pattern, tz, next } = before ?? {}
  const now = wallMs()
  if (!next || next > now || pattern !== recurrence.pattern || tz !== recurrence.tz) return []
  return [next, ...missedBetween(recurrence, next, now)]
}

/**
 * Adds the firings that a late job of a schedule has missed: BullMQ continues from now. Added twice they are the same
 * jobs.
 */
async function missedBefore(queue: Queue<Data>, job: BullJob<Data>): Promise<void> {
  const { repeatJobKey, name, data, opts } = job
  const { prevMillis, repeat } = opts as { prevMillis?: number; repeat?: Recurrence }
  // A second attempt is late for another reason.
  if (!repeatJobKey || prevMillis === undefined || !repeat || job.attemptsMade > 0) return
  const times = missedBetween(repeat, prevMillis, wallMs())
  if (times.length > 0) await addFirings(queue, repeatJobKey, times, { name, data, opts })
}

async function addFirings(queue: Queue<Data>, schedule: string, times: number[], template: JobTemplate): Promise<void> {
  const { attempts, backoff, removeOnComplete, removeOnFail } = template.opts ?? {}
  const opts = { attempts, backoff, removeOnComplete, removeOnFail }
  const jobs = times.map((time) => ({ ...template, opts: { ...opts, jobId: `repeat:${schedule}:${time}` } }))
  await queue.addBulk(jobs as JobTemplate[])
}

const repeatStrategy = (after: number, { pattern, tz }: { pattern?: string; tz?: string }): number | undefined =>
  firingAfter({ pattern: pattern ?? '', ...(tz ? { tz } : {}) }, after)

const optionsOf = (attempts: number, backoff: RetryOptions['backoff']) => ({
  attempts,
  ...(backoff ? { backoff: { type: backoff.kind, delay: backoff.delayMs } } : {}),
  removeOnComplete: KEEP_COMPLETED,
  removeOnFail: KEEP_FAILED,
})

type BullBackoff = BullJob['opts']['backoff']

const backoffOf = (backoff: BullBackoff): RetryOptions['backoff'] =>
  typeof backoff === 'object' && (backoff.type === 'fixed' || backoff.type === 'exponential')
    ? { kind: backoff.type as 'fixed' | 'exponential', delayMs: backoff.delay ?? 0 }
    : undefined

/** As BullMQ computes it. */
function delayOf(backoff: BullBackoff, attemptsMade: number): number {
  if (typeof backoff === 'number') return backoff
  const delay = backoff?.delay ?? 0
  return backoff?.type === 'exponential' ? Math.round(2 ** (attemptsMade - 1) * delay) : delay
}

/**
 * Back-offs that BullMQ does not have: of a task that asked for one, and of strategies that were functions in the
 * queue's former workers.
 */
function backoffStrategy(
  _attemptsMade: number,
  _type: string | undefined,
  error: Error | undefined,
  job: MinimalJob | undefined,
) {
  return error instanceof Later ? error.inMs : delayOf(job?.opts.backoff, 1) || 1_000
}

function withError(error: Error, { name, stack }: Failure): Error {
  error.stack = stack ?? `${name}: ${error.message}`
  return error
}

/** Returns the result as JSON; other values as text. */
function jsonOf(value: unknown): unknown {
  try {
    return JSON.parse(
      JSON.stringify(value, (_name, each) => (typeof each === 'bigint' ? String(each) : each)) ?? 'null',
    )
  } catch {
    return String(value)
  }
}
