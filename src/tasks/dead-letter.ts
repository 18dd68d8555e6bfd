/** Dead letters: requests, tasks and entries that could not be processed, stored with the reason. */
import { DEAD_LETTER, type Listed } from '../engine.js'
import { readSignature } from '../entry/signature.js'
import { kindNamed } from '../entry/token.js'
import { decodeRequest, type HttpRequest } from '../request/message.js'
import { REQUEST, TASK } from '../request.js'
import { failedIn } from './failed-task.js'
import type { Failure } from './failure.js'

export interface DeadLetter {
  /** The id of the request or entry, as in every log. */
  readonly id: string
  /**
   * `exhausted`: every worker that was given it died; `failed` and `gave up` of tasks; `nonconforming` of entries;
   * `damaged`: it is not what was written; `bodiless`: its large body is gone, or is not what was written.
   */
  readonly reason: string
  /** Its original kind. */
  readonly kind: string
  /** How often it was delivered. */
  readonly attempts: number
  readonly writtenAt: number
  readonly service?: string
  /** The name of a task, and its last error. */
  readonly task?: string
  readonly error?: Failure
  readonly request?: HttpRequest
}

/** Returns the value in `field=s:value`. */
const valueIn = (tokens: readonly string[], field: string): string | undefined => {
  const token = tokens.find((each) => each.startsWith(`${field}=`))
  return token && kindNamed(token.slice(field.length + 3))
}

/** Returns the request; undefined if the bytes are damaged. */
function requestIn(bytes: Buffer): HttpRequest | undefined {
  try {
    return decodeRequest(bytes)
  } catch {
    return undefined
  }
}

/** Returns the dead letter of an entry. @throws TypeError if it is not one */
export function deadLetterOf({ id, kinds, body, deaths, writtenAt }: Listed): DeadLetter {
  if (kinds[0] !== DEAD_LETTER) throw new TypeError('not a dead letter')
  const end = body.indexOf('\n')
  const head = body.toString('utf8', 0, end)
  const at = head.indexOf('|')
  const was = readSignature(head.slice(at))
  const kind = kindNamed(was.kinds[0]!)
  const deadLetter = { id, reason: kindNamed(head.slice('s:'.length, at)), kind, attempts: deaths, writtenAt }
  if (kind !== REQUEST && kind !== TASK) return deadLetter
  const service = valueIn(was.indexed, 'service')
  const request = requestIn(body.subarray(end + 1))
  if (!request) return { ...deadLetter, ...(service ? { service } : {}) }
  const task = kind === TASK ? { task: request.target, ...failedIn(request) } : {}
  return { ...deadLetter, ...(service ? { service } : {}), ...task, request }
}
