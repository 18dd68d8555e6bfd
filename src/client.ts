/** Client: sends requests from a program, through the space, without a socket. */
import { type ClientOperation, tracing } from './admin/spans.js'
import { onlyKnown } from './errors/unknown-option.js'
import { SpaceError } from './errors.js'
import { type ClientFetchOptions, checkedFetch, fetchThrough } from './request/fetch.js'
import type { Space } from './space.js'
import { type CallOptions, call } from './tasks/call.js'
import { type EnqueueOptions, enqueue } from './tasks/enqueue.js'
import { type ScheduleOptions, schedule, type Times, unschedule } from './tasks/schedule.js'
import { type Ticket, ticketNamed } from './tasks/ticket.js'
import type { TaskArguments, TaskResult, Tasks } from './tasks.js'

export interface ClientOptions {
  readonly space: Space
  /** The service of the requests. Default `web`. */
  readonly service?: string | undefined
  /**
   * Maximum bytes of all tickets in the space, with their outcomes; an enqueue beyond it is refused with SPACE_FULL.
   * Default 256 MiB.
   */
  readonly maxTicketBytes?: number | undefined
}

export interface Client<T extends Tasks = Tasks> {
  /**
   * Runs a task and returns its result (request/reply).
   *
   * @throws the signal's reason; SpaceError TASK_FAILED with the task's error as `cause`, REQUEST_TIMEOUT, WORKER_LOST,
   *   DELIVERIES_EXHAUSTED, INVALID_ENTRY for an input that cannot be stored, SPACE_UNREACHABLE, SPACE_FULL, …
   * @example const { ok } = await client.call('resize', { width: 10 }, { timeoutMs: 5_000 })
   */
  call<N extends keyof T & string>(task: N, ...input: TaskArguments<T, N, CallOptions>): Promise<TaskResult<T, N>>
  /**
   * Has a task done, now or later, once or until it succeeds. When the promise resolves, the space has the task, and it
   * is done even if this process dies. A task that fails for good becomes a dead letter (`takespace dead`).
   *
   * Later tasks and tasks with several attempts need a scheduler (`takespace scheduler`, or `createScheduler`, also in
   * memory); until one runs they wait.
   *
   * @throws the signal's reason; SpaceError KEY_REUSED, SPACE_FULL, INVALID_ENTRY, INVALID_ARGUMENT, SPACE_UNREACHABLE,
   *   …
   * @example
   * const ticket = await client.enqueue('resize', { width: 10 }, { attempts: 5, backoff: { kind: 'exponential', delayMs: 1_000 } })
   * console.log(await ticket.result({ waitMs: 60_000 }))
   */
  enqueue<N extends keyof T & string>(
    task: N,
    ...input: TaskArguments<T, N, EnqueueOptions>
  ): Promise<Ticket<TaskResult<T, N>>>
  /**
   * Returns the ticket of an enqueued task, by its id, in any process.
   * @example const ticket = client.ticket<{ ok: boolean }>(id); console.log(await ticket.status())
   */
  ticket<R = unknown>(id: string): Ticket<R>
  /**
   * Has a task done again and again. Replaces a schedule of the same name. Firings that were missed while no scheduler
   * ran are made up for later.
   *
   * @returns when it is due next
   * @throws the signal's reason; SpaceError INVALID_ARGUMENT, also for an invalid cron expression or time zone;
   *   REQUEST_TIMEOUT: no scheduler runs
   * @example await client.schedule('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, 'report', { days: 1 })
   */
  schedule<N extends keyof T & string>(
    name: string,
    times: Times,
    task: N,
    ...input: TaskArguments<T, N, ScheduleOptions>
  ): Promise<{ readonly next: Date }>
  /** Ends a schedule. Returns false if no schedule has this name. Throws as `schedule` does. */
  unschedule(name: string, options?: Pick<ScheduleOptions, 'callTimeoutMs' | 'signal'>): Promise<boolean>
  /**
   * Sends an HTTP request to a worker's app: standard fetch, through the space. A path is enough; of a URL, host and
   * path count. Bodies are streamed in both directions. Apps are tested this way, without Redis and without a port
   * (docs/testing.md).
   *
   * @throws the signal's reason; SpaceError REQUEST_TIMEOUT, WORKER_LOST, DELIVERIES_EXHAUSTED, SPACE_UNREACHABLE,
   *   SPACE_FULL, …
   * @example const response = await client.fetch('/orders/1', { method: 'POST', body: JSON.stringify(order) })
   */
  fetch(input: string | URL | Request, options?: ClientFetchOptions): Promise<Response>
}

const OPTIONS: ReadonlySet<string> = new Set(['space', 'service', 'maxTicketBytes'])

/**
 * Creates a client of a space. With the type of a worker's tasks, its calls are typed.
 *
 * @throws SpaceError INVALID_ARGUMENT
 * @example const client = createClient<typeof tasks>({ space })
 */
export function createClient<T extends Tasks = Tasks>(options: ClientOptions): Client<T> {
  onlyKnown('createClient', options, OPTIONS)
  const { space, service = 'web', maxTicketBytes = 256 << 20 } = options
  if (typeof space?.newId !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'space is what openSpace returned.')
  }
  if (!Number.isSafeInteger(maxTicketBytes) || maxTicketBytes < 1) {
    throw new SpaceError('INVALID_ARGUMENT', 'maxTicketBytes must be an integer of at least 1.')
  }
  // Tracing SDKs are registered before a program creates its clients.
  const traced = tracing()
  const asked = <R>(
    asking: ClientOperation,
    what: string,
    options: { readonly service?: string } | undefined,
    ask: (trace?: readonly string[]) => Promise<R>,
  ): Promise<R> => (traced ? traced.ask(asking, what, options?.service ?? service, ask) : ask())
  return {
    call: (task, ...[input, options]) =>
      asked('call', task, options, (trace) => call(space, service, task, input, options, trace) as Promise<never>),
    enqueue: (task, ...[input, options]) =>
      asked('send', task, options, (trace) => {
        return enqueue(space, service, maxTicketBytes, task, input, options, trace) as Promise<never>
      }),
    ticket: (id) => ticketNamed(space, id),
    schedule: (name, times, task, ...[input, options]) =>
      asked('schedule', task, options, (trace) => schedule(space, service, name, times, task, input, options, trace)),
    unschedule: (name, options) => unschedule(space, name, options),
    fetch: async (input, options = {}) =>
      asked('fetch', service, checkedFetch(options), (trace) =>
        fetchThrough(space, input, { ...options, service: options.service ?? service }, trace),
      ),
  }
}
