/** The kinds of request entries, for apps and for tasks, and the templates by which workers take them. */
import { type EncodedEntry, type EncodedTemplate, OWN_KINDS } from '../engine.js'
import { tokenOf } from '../entry/token.js'
import { encodeRequest, type HttpRequest } from './message.js'

/** How a request is sent. */
export interface SendOptions {
  readonly service: string
  /** The name of a task; undefined: the request is for the app of the service. */
  readonly task?: string
  /** Time until the client gets 504, in ms; the entry's lease. */
  readonly timeoutMs: number
  readonly priority: number
  /**
   * True if the request may run again when its worker dies (idempotent method, Idempotency-Key, or the route's option).
   */
  readonly repeatable: boolean
  /** After this many deliveries whose workers died, the request goes to the dead letters; 1 to 9, default 3. */
  readonly maxDeliveries?: number
}

/** Requests for the app of a service. */
export const REQUEST = `${OWN_KINDS}Request`
/** Requests for a worker that has the task. */
export const TASK = `${OWN_KINDS}Task`

const MOST_DELIVERIES = 3

export const indexOf = (service: string): string => `service=${tokenOf(service)}`

export const taskToken = (task: string): string => `task=${tokenOf(task)}`

/** Returns the template of all requests for the apps of these services. */
export function appTemplate(services: readonly string[]): EncodedTemplate {
  const tokens = services.map(indexOf)
  const shared = { kind: REQUEST, root: REQUEST, verified: [] }
  return tokens.length === 1 ? { ...shared, indexed: tokens } : { ...shared, indexed: [], anyOf: tokens }
}

/** Returns the template of all requests for the app of a service, or for any of these tasks. */
export function requestTemplate(service: string, tasks?: readonly string[]): EncodedTemplate {
  if (!tasks) return appTemplate([service])
  const kind = TASK
  const indexed = [indexOf(service)]
  const names = tasks.map(taskToken)
  if (names.length === 1) indexed.push(names[0]!)
  return { kind, root: kind, indexed, verified: [], ...(names.length > 1 ? { anyOf: names } : {}) }
}

/** The kinds and tokens that all requests for an app, or for a task, have in common. */
type Addressed = Pick<EncodedEntry, 'kinds' | 'indexed' | 'verified'>

const NONE: readonly string[] = []
/** By service, and by task within one; at most MOST_KEPT. */
const kept = new Map<string, Map<string | undefined, Addressed>>()
const MOST_KEPT = 1_000
let keptCount = 0

function addressed(service: string, task: string | undefined): Addressed {
  const known = kept.get(service)?.get(task)
  if (known) return known
  const indexed = task === undefined ? [indexOf(service)] : [indexOf(service), taskToken(task)]
  const made: Addressed = { kinds: [task === undefined ? REQUEST : TASK], indexed, verified: NONE }
  if (keptCount >= MOST_KEPT) {
    kept.clear()
    keptCount = 0
  }
  keptCount++
  const ofService = kept.get(service) ?? new Map<string | undefined, Addressed>()
  kept.set(service, ofService.set(task, made))
  return made
}

/** Returns the entry of a request. */
export function requestEntry(id: string, request: HttpRequest, terms: SendOptions): EncodedEntry {
  const { service, task, timeoutMs, priority, repeatable, maxDeliveries = MOST_DELIVERIES } = terms
  const { kinds, indexed, verified } = addressed(service, task)
  return {
    id,
    kinds,
    indexed,
    verified,
    body: encodeRequest(request),
    leaseMs: timeoutMs,
    priority,
    request: { repeatable, maxDeliveries, streamed: request.more !== undefined },
  }
}
