/** takespace/workers: a worker takes requests of its services from a space and answers them with an app. */

import { backlogMeasures } from '../src/admin/backlog.js'
import { Admin } from '../src/admin/index.js'
import { type Measure, workerMeasures } from '../src/admin/measures.js'
import { type AdminOptions, checkedAdmin, MOVED_TO_ADMIN } from '../src/admin/options.js'
import type { Checks } from '../src/admin/probes.js'
import { controlOf, type Member } from '../src/control.js'
import { onlyKnown } from '../src/errors/unknown-option.js'
import { SpaceError } from '../src/errors.js'
import { type Logger, silent } from '../src/log.js'
import { WorkerCounters } from '../src/runtime/counters.js'
import { withDeadline } from '../src/runtime/deadline.js'
import { type Service, service as serviceOf } from '../src/runtime/lifecycle.js'
import type { Space } from '../src/space.js'
import { type App, handlerOf, readyOf } from './apps/index.js'
import { Loop, type TurnInFlight } from './loop.js'
import { Served } from './served.js'
import { checkedTasks, type Task, taskHandler } from './tasks.js'

export type { AdminOptions } from '../src/admin/options.js'
export type { RequestClient } from '../src/request.js'
export { GiveUp, giveUp, RetryIn, retryIn } from '../src/tasks.js'
export type { App, FetchApp, KoaApp, NodeApp } from './apps/index.js'
export { currentRequest } from './current.js'
export type { CurrentRequest } from './handler.js'
export type { Task, TaskContext } from './tasks.js'

/** The app, the tasks, or both, of a worker. */
interface AppAndTasks {
  /**
   * An Express, connect, Koa or Fastify app, any `(req, res)` function, an http.Server, or `{ fetch }` (Hono, h3,
   * Elysia and others). An app, not a factory. The app is not modified.
   */
  readonly app: App
  /**
   * Functions by name, for `client.call` and `client.enqueue`. The worker takes the tasks that it has, of its services.
   */
  readonly tasks: Readonly<Record<string, Task>>
}

type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined }
type OrUndefined<T> = { readonly [K in keyof T]: T[K] | undefined }

/**
 * A worker has an app, tasks, or both. The compiler refuses neither only if both are absent by name: a loaded module
 * may have either.
 */
export type WorkerOptions = WorkerSettings &
  (
    | (Pick<AppAndTasks, 'app'> & Optional<Pick<AppAndTasks, 'tasks'>>)
    | (Pick<AppAndTasks, 'tasks'> & Optional<Pick<AppAndTasks, 'app'>>)
    | OrUndefined<AppAndTasks>
  )

/** The options of a worker beside its app and its tasks. */
export interface WorkerSettings {
  /** The space of the requests. Closing the space stops the worker first. */
  readonly space: Space
  /** The service whose requests the worker takes, or a list of at most 100 services. Default `web`. */
  readonly service?: string | readonly string[] | undefined
  /**
   * Requests in flight at a time, an integer ≥ 1, of all services together; with an app and tasks, as many of each, and
   * of tasks as many for each service. Default 16.
   */
  readonly concurrency?: number | undefined
  /** How long `stop()` waits for requests in flight before it cuts them, in ms. Default 10 000. */
  readonly stopTimeoutMs?: number | undefined
  /** How long `uncaught()` waits for the other requests in flight, in ms. Default 5 000. */
  readonly crashGraceMs?: number | undefined
  /** Probes and metrics. Default: no admin port. */
  readonly admin?: AdminOptions | undefined
  /** A pino instance or anything like it. Default: nothing is logged. */
  readonly logger?: Logger | undefined
}

export interface Worker extends Service, AsyncDisposable {
  /**
   * Resolves when the worker takes requests, which is after its app is ready (Fastify loads its plugins).
   *
   * @throws SpaceError SPACE_UNREACHABLE, SPACE_CLOSED; APP_NOT_READY with the app's error; an AbortError if the worker
   *   is stopped meanwhile
   */
  start(): Promise<void>
  /**
   * Takes nothing new and waits for the requests in flight. After `stopTimeoutMs` it cuts the rest: their signals fire;
   * a request that may run again goes back into the space, the client of any other gets 502. Returns within
   * `stopTimeoutMs` + 1 s.
   */
  stop(): Promise<void>
  /**
   * For a program's own `uncaughtException` listener; `takespace worker` has one. Fails the request under whose handler
   * the error was thrown: its client gets 500 at once, and it is not delivered again. Takes nothing new, and finishes
   * the other requests within `crashGraceMs`.
   *
   * @returns `exit` when the process should end by `process.exit()`, without closing the space: what is left dies with
   *   it. `continue` if an abort listener of a request has thrown, which concerns no other request
   * @example
   * process.on('uncaughtException', async (error) => {
   *   if ((await worker.uncaught(error)) === 'exit') process.exit(1)
   * })
   */
  uncaught(error: unknown): Promise<'continue' | 'exit'>
  /** The URL of the admin port (probes, metrics); undefined while it is closed. */
  readonly adminUrl: string | undefined
  /** @internal For a supervisor of the process. */
  readonly turns: {
    /** Requests taken since the start. */
    readonly taken: number
    readonly inFlight: number
    /** Requests that the app has answered. */
    readonly answered: number
    /** True once the worker takes nothing new. */
    readonly isLeaving: boolean
    /** Handlers that run although their turn has ended. */
    readonly overrunHandlers: number
    /** The number of overrun handlers from which on the worker is not ready. */
    readonly maxOverrunHandlers: number
    /** The turns in flight, oldest first, at most 20. */
    list(): readonly TurnInFlight[]
    /** The ids of all turns in flight. */
    ids(): readonly string[]
    /** To be called if this process is found blocked: turns that are not among `ids()` are given to others. */
    doubt(): void
  }
  /** @internal The worker's own metrics. */
  readonly measures: readonly Measure[]
}

const OPTIONS = new Set([
  'space',
  'app',
  'tasks',
  'service',
  'concurrency',
  'stopTimeoutMs',
  'crashGraceMs',
  'admin',
  'logger',
])

/**
 * Creates a worker. It takes nothing until it is started.
 *
 * @throws SpaceError INVALID_ARGUMENT naming the option; APP_SHAPE_UNKNOWN if the app is of no known kind
 * @example
 * const space = await openSpace('redis://127.0.0.1:6379')
 * const worker = createWorker({ space, app, concurrency: 32 })
 * await worker.start()
 * process.once('SIGTERM', () => worker.stop())
 */
export function createWorker(options: WorkerOptions): Worker {
  onlyKnown('createWorker', options, OPTIONS, MOVED_TO_ADMIN)
  const { space, app, tasks, service = 'web', concurrency = 16, logger = silent } = options
  const { stopTimeoutMs = 10_000, crashGraceMs = 5_000 } = options
  if (typeof space?.adopt !== 'function') throw wrong('space is what openSpace returned.')
  if (!Number.isInteger(concurrency) || concurrency < 1) throw wrong('concurrency must be an integer ≥ 1.')
  if (typeof stopTimeoutMs !== 'number' || !(stopTimeoutMs >= 0)) throw wrong('stopTimeoutMs is milliseconds ≥ 0.')
  if (typeof crashGraceMs !== 'number' || !(crashGraceMs >= 0)) throw wrong('crashGraceMs is milliseconds ≥ 0.')
  if (typeof logger?.error !== 'function')
    throw wrong('logger must be a pino instance or have the methods debug, info, warn and error.')
  const services = checkedServices(service)
  const adminAt = checkedAdmin(options.admin)

  if (app === undefined && tasks === undefined) throw wrong('A worker has an app, or tasks, or both.')

  const counters = new WorkerCounters()
  const named = tasks === undefined ? undefined : checkedTasks(tasks)
  const serves = {
    app: app === undefined ? undefined : handlerOf(app),
    tasks: named && { names: [...named.keys()], handle: taskHandler(named, logger, counters) },
  }
  const loop = new Loop(space, serves, { services, concurrency, stopTimeoutMs, crashGraceMs, logger, counters })
  const capacity = concurrency * (Number(app !== undefined) + (tasks === undefined ? 0 : services.length))
  const [hasApp, hasTasks] = [app !== undefined, tasks !== undefined]
  const served = new Served({ services, concurrency, hasApp, hasTasks, counters, turns: () => loop.turns })
  const label = services.join(',')
  const measures = workerMeasures(counters, { service: label, capacity, turns: loop })
  const serving = (): boolean => loop.standing
  const conditions = (): Checks => {
    const { overrunHandlers, maxOverrunHandlers } = loop
    return {
      handlers:
        overrunHandlers < maxOverrunHandlers
          ? 'ok'
          : `${overrunHandlers} handlers run on although their requests are over`,
    }
  }
  const admin =
    adminAt &&
    new Admin({
      space,
      ...adminAt,
      logger,
      serving,
      conditions,
      measures: [...measures, ...backlogMeasures(space, services)],
    })
  const stopped = new AbortController()
  const control = controlOf(space)
  const member: Member = {
    role: 'worker',
    services,
    tasks: named ? [...named.keys()] : [],
    logger,
    load: () => ({ capacity, held: loop.inFlight, oldestMs: loop.oldestMs, ...counters.outcomes }),
    served: () => served.parts(),
    running: () => loop.list(),
    drain: (drains) => loop.drain(drains),
    recall: () => loop.recall(),
    onPauses: (pauses) => loop.pause(pauses),
    stop: () => worker.stop(),
  }
  const take = async (): Promise<void> => {
    // A stop waits for the start that it meets; an app that never gets ready must not keep it waiting.
    if (app !== undefined) await withDeadline(readyOf(app), { signal: stopped.signal })
    // What is paused is known before anything is taken.
    await control.join(member)
    await loop.start()
  }
  const start = async (): Promise<void> => {
    await (admin ? admin.during(take) : take())
    logger.info({ service: label, concurrency }, 'the worker takes requests')
  }
  const stop = async (): Promise<void> => {
    if (admin) admin.phase = 'draining'
    control.stopping(member)
    await loop.stop()
    await control.leave(member)
    await admin?.close()
    space.disown(worker)
    logger.info({ service: label }, 'the worker has stopped')
  }
  const running = serviceOf(start, stop)
  const leave = (): Promise<void> => {
    stopped.abort(new DOMException('The worker was stopped.', 'AbortError'))
    return running.stop()
  }
  const worker: Worker = {
    start: running.start,
    stop: leave,
    uncaught(error) {
      const left = loop.uncaught(error)
      if (admin && loop.isLeaving) admin.phase = 'draining'
      return left
    },
    get adminUrl() {
      return admin?.url
    },
    turns: loop,
    measures,
    [Symbol.asyncDispose]: leave,
  }
  space.adopt(worker)
  return worker
}

/** Each takes part in every search for a request. */
const MOST_SERVICES = 100

function checkedServices(service: string | readonly string[]): readonly string[] {
  const services = Array.isArray(service) ? [...new Set<string>(service)] : [service as string]
  const isName = (name: unknown): boolean => typeof name === 'string' && name !== ''
  if (services.length < 1 || services.length > MOST_SERVICES || !services.every(isName)) {
    throw wrong(`service is a text of at least one character, or a list of 1 to ${MOST_SERVICES} such texts.`)
  }
  return services
}

const wrong = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)
