/** The kinds of the control room: what each process tells of itself, what an operator orders, and the answer. */
import { defineOwn } from '../entry.js'

/** The parent of all: entries of the control are beside the bounds of the space. */
const Control = defineOwn<Record<never, never>>('Control')

/** The parts that a process can have in a space. */
export const PROCESS_ROLES = ['gateway', 'worker', 'scheduler', 'supervisor'] as const
export type Role = (typeof PROCESS_ROLES)[number]

/**
 * `running`: takes work. `draining`: takes nothing new, and has some left. `drained`: has none left. `stopping`: is about
 * to end.
 */
export type ProcessState = 'running' | 'draining' | 'drained' | 'stopping'

/** A request that a worker works on. */
export interface RunningRequest {
  /** As in every log. */
  readonly id: string
  readonly service: string
  /** Its method, or `TASK`. */
  readonly method: string
  /** Without the query, or the name of the task; at most 200 characters. */
  readonly path: string
  /** Time since it was taken, when this was told. */
  readonly ms: number
}

/** The part of one service in a process: what it works on, and what it has finished within the last seconds. */
export interface ServedService {
  readonly service: string
  /** Requests of the service that its workers work on. */
  readonly held: number
  /** Those, and free slots; free slots of several services are divided among them, so that the sum is that of the process. */
  readonly capacity: number
  /** Requests of the service that could begin now. */
  readonly free: number
  /** Requests within `recentMs` that its workers finished, or that its gateway refused with 5xx. */
  readonly finished: number
  /** Those of them that failed, were too late, or were answered with 5xx. */
  readonly failed: number
  /** Numbers of requests by the time that they waited, and by the time that they ran: by BOUNDS_MS, without zeros at the end. */
  readonly waited: readonly number[]
  readonly ran: readonly number[]
}

/** A process, as it tells of itself every few seconds and at each change of its state. */
export interface ProcessReport {
  /** The name of the process in the space. */
  readonly process: string
  readonly host: string
  readonly pid: number
  readonly roles: readonly Role[]
  /** The services whose requests it takes or writes. */
  readonly services: readonly string[]
  /** The tasks that it has. */
  readonly tasks: readonly string[]
  /** The release of the app: TAKESPACE_RELEASE, at most 100 characters; '' without. */
  readonly release: string
  /** The version of takespace. */
  readonly version: string
  /** ms since 1970. */
  readonly startedAt: number
  /** Requests that it can work on at a time. */
  readonly capacity: number
  /** Requests that it works on. */
  readonly held: number
  /** Age of the oldest of them, in ms. */
  readonly oldestMs: number
  /** Requests that its workers have finished since its start, and those of them that failed. */
  readonly finished: number
  readonly failed: number
  /** Those of its services of which there is something to tell. Older processes do not tell. */
  readonly served?: readonly ServedService[]
  /** The time of `served`. */
  readonly recentMs?: number
  /** The longest delay of its event loop since the report before, in ms. */
  readonly loopLagMs: number
  readonly rssBytes: number
  readonly state: ProcessState
  /** The oldest requests that it works on, at most five. */
  readonly running: readonly RunningRequest[]
  /** When it told this, in ms since 1970. */
  readonly at: number
}

export const ProcessPresence = defineOwn<ProcessReport>(
  'Presence',
  { index: ['process'], partition: 'process' },
  Control,
)

/**
 * `drain`: take nothing new. `resume`: take again. `stop`: drain, then end. `logLevel`: log from this level on.
 * `recall`: give back what has not begun.
 */
export type Verb = 'drain' | 'resume' | 'stop' | 'logLevel' | 'recall'

export const VERBS: ReadonlySet<string> = new Set<Verb>(['drain', 'resume', 'stop', 'logLevel', 'recall'])

/** An order for one process, which takes it and answers it. */
export interface OrderFields {
  readonly id: string
  /** The name of the process in the space. */
  readonly process: string
  readonly verb: string
  /** The level, for `logLevel`; else ''. */
  readonly argument: string
  /** The operator, for the log: at most 100 characters. */
  readonly by: string
}

export const Order = defineOwn<OrderFields>('Order', { index: ['process'], partition: 'process' }, Control)

export interface AnswerFields {
  /** The id of the order. */
  readonly order: string
  /** '' if it was obeyed; else why not. */
  readonly refusal: string
}

export const Answer = defineOwn<AnswerFields>('Answer', { index: ['order'], partition: 'order' }, Control)

/** A service or a task that is paused. It stands in the space until it is resumed. */
export interface PauseFields {
  readonly what: 'service' | 'task'
  readonly name: string
  /** Gateways answer 503 at once; otherwise requests wait until their deadline. Services only. */
  readonly refuses: boolean
  readonly by: string
  /** ms since 1970. */
  readonly since: number
}

export const Pause = defineOwn<PauseFields>('Pause', { index: ['name'] }, Control)

/** Written at each change of a pause: processes look at all pauses again. */
export const PauseChange = defineOwn<{ readonly name: string }>('PauseChange', { index: ['name'] }, Control)

/** An act of an operator, written before it is done and again with its outcome. */
export interface AuditFields {
  readonly id: string
  /** ms since 1970. */
  readonly at: number
  /** The operator: the user of the dashboard, or the user of the machine that ran the command. */
  readonly by: string
  /** The address of the browser, or `command on` and the host. */
  readonly from: string
  /** The name of the act, such as `dead.drop`. */
  readonly act: string
  /** To what: names, or the choice. */
  readonly target: string
  /** To how many. */
  readonly count: number
  /** `begun`, `done`, or the error. */
  readonly outcome: string
}

export const Audit = defineOwn<AuditFields>('Audit', { index: ['id'] }, Control)
