/** The messages between a worker or gateway process and its supervisor. */
import type { TurnInFlight } from '../../../workers/loop.js'
import type { ProcessMetrics } from '../../admin/metrics.js'

/** A heartbeat: the state of the process. */
export interface Beat {
  /** Resident memory in MB. */
  readonly megabytes: number
  /** Requests taken since the start. */
  readonly taken: number
  /** Handlers that run although their turn has ended. */
  readonly overrunHandlers: number
  /** Requests that the app has answered since the start. */
  readonly answered: number
  /** A debugger is attached: a blocked process is not stuck then. */
  readonly inspected: boolean
}

export type Report =
  /** It listens to messages: an earlier one would be lost. */
  | { readonly awaiting: 'settings' }
  | { readonly presence: string }
  | { readonly ready: true }
  | { readonly failed: string }
  | { readonly beat: Beat }
  /** An error was not caught: the process finishes its requests and ends. */
  | { readonly crashed: { readonly answered: number } }
  | { readonly metrics: ProcessMetrics }

/** Orders of a supervisor: report metrics; drain and exit; start with these settings. */
export type Question = 'metrics' | 'drain' | { readonly settings: object }

/** Wraps messages, to distinguish them from those of the app. */
export interface IpcMessage<T> {
  readonly takespace: T
}

export function messageOf<T>(message: unknown): T | undefined {
  return typeof message === 'object' && message !== null ? (message as Partial<IpcMessage<T>>).takespace : undefined
}

/** A report about a blocked main thread: a line of JSON in a pipe of its own. */
export interface BlockedLoop {
  /** The innermost call first: `function (file:line)`. */
  readonly stack: readonly string[]
  /** Id of the request whose handler runs. */
  readonly request?: string | undefined
  /** The oldest turns in flight. */
  readonly turns: readonly TurnInFlight[]
  /** The ids of all turns in flight. */
  readonly running: readonly string[]
}

/** The file descriptor of the pipe in the worker process; IPC is 3. */
export const BLOCKED_LOOP_FD = 4

/** Interval of heartbeats, and of the supervisor's looks. */
export const BEAT_MS = 250
