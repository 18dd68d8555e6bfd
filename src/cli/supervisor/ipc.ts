/** What a worker process and its supervisor say to each other, by IPC. */
import type { TurnInFlight } from '../../../workers/loop.js'
import type { Family } from '../../admin/metrics.js'

/** That the event loop turns, and how the process is. */
export interface Beat {
  /** Of resident memory. */
  readonly megabytes: number
  /** Requests taken since the start. */
  readonly taken: number
  /** Handlers that still run although their turn has ended. */
  readonly overrunHandlers: number
  /** Somebody looks at it with a debugger, under which a process stands still without being stuck. */
  readonly inspected: boolean
}

export type Report =
  | { readonly presence: string }
  | { readonly ready: true }
  | { readonly failed: string }
  | { readonly beat: Beat }
  | { readonly families: readonly Family[] }

/** Orders of a supervisor to a worker process: say what it measures; take nothing new, finish, and exit. */
export type Question = 'families' | 'drain'

/** The app may send messages of its own to whoever started it; ours are told from them by this. */
export interface IpcMessage<T> {
  readonly takespace: T
}

export function messageOf<T>(message: unknown): T | undefined {
  return typeof message === 'object' && message !== null ? (message as Partial<IpcMessage<T>>).takespace : undefined
}

/** What was seen of a main thread that stands still; it comes over a pipe of its own, as a line of JSON. */
export interface BlockedLoop {
  /** The innermost call first: `function (file:line)`. */
  readonly stack: readonly string[]
  /** Id of the request whose handler runs. */
  readonly request?: string | undefined
  /** The oldest of those that the process works on. */
  readonly turns: readonly TurnInFlight[]
  /** The ids of all of them. */
  readonly running: readonly string[]
}

/** The pipe's number in the worker process; the IPC channel is 3. */
export const BLOCKED_LOOP_FD = 4

/** How often a worker process says that its event loop turns, and how often its supervisor looks whether it did. */
export const BEAT_MS = 250
