/** The kinds of the entries that requests are, for an app and for tasks, and the templates by which those of one service are taken. */
import { type EncodedEntry, type EncodedTemplate, OWN_KINDS } from '../engine.js'
import { tokenOf } from '../entry/token.js'
import { encodeRequest, type HttpRequest } from './message.js'

/** What a gateway asks of the space. */
export interface SendOptions {
  readonly service: string
  /** The name of a task, for workers that have it; else it is for the service's app. */
  readonly task?: string
  /** From now until the client is told 504; the entry's lease. */
  readonly timeoutMs: number
  readonly priority: number
  /** Whether it may run again if its worker dies (idempotent method, Idempotency-Key, or the route says so). */
  readonly repeatable: boolean
  /** After so many deliveries whose workers died it goes to the dead letters; 1 to 9, default 3. */
  readonly maxDeliveries?: number
}

/** For the app of a service. */
export const REQUEST = `${OWN_KINDS}Request`
/** For a worker that has the task. */
export const TASK = `${OWN_KINDS}Task`

const MOST_DELIVERIES = 3

export const indexOf = (service: string): string => `service=${tokenOf(service)}`

export const taskToken = (task: string): string => `task=${tokenOf(task)}`

/** All requests for the app of a service, or all for any of these tasks. */
export function requestTemplate(service: string, tasks?: readonly string[]): EncodedTemplate {
  const kind = tasks ? TASK : REQUEST
  const indexed = [indexOf(service)]
  const names = tasks?.map(taskToken) ?? []
  if (names.length === 1) indexed.push(names[0]!)
  return { kind, root: kind, indexed, verified: [], ...(names.length > 1 ? { anyOf: names } : {}) }
}

/** The entry that a request is. */
export function requestEntry(id: string, request: HttpRequest, terms: SendOptions): EncodedEntry {
  const { service, task, timeoutMs, priority, repeatable, maxDeliveries = MOST_DELIVERIES } = terms
  return {
    id,
    kinds: [task === undefined ? REQUEST : TASK],
    indexed: task === undefined ? [indexOf(service)] : [indexOf(service), taskToken(task)],
    verified: [],
    body: encodeRequest(request),
    leaseMs: timeoutMs,
    priority,
    request: { repeatable, maxDeliveries, streamed: request.more !== undefined },
  }
}
