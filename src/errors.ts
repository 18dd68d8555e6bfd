/** The error class of takespace and the table of its codes. docs/errors.md describes them; a test compares both. */

interface ErrorKind {
  /** Says what went wrong and what to do. */
  readonly message: string
  /** The HTTP status of a gateway if this error ends a request. */
  readonly status: number
  /** True if the same call may succeed later, without a risk of taking effect twice. */
  readonly retryable: boolean
}

const kind = (status: number, retryable: boolean, message: string): ErrorKind => ({ status, retryable, message })

/** Every code that takespace throws. Codes are stable; messages may change. */
export const ERRORS = {
  INVALID_ARGUMENT: kind(400, false, 'An argument is not one this call accepts.'),
  INVALID_ENTRY: kind(400, false, 'The entry or template holds a value that cannot be stored.'),
  SPACE_CLOSED: kind(503, false, 'The space has been closed; open another one.'),
  SPACE_UNREACHABLE: kind(503, true, 'The space cannot be reached. Nothing was done; try again when it is back.'),
  OVERLOADED: kind(
    503,
    true,
    'Too many operations of this process wait to be sent. Nothing was done; try again shortly.',
  ),
  SPACE_FULL: kind(503, true, 'The space is full and takes no new entries until some have been taken.'),
  OUTCOME_UNKNOWN: kind(502, false, 'No answer came that can be relied on; the operation may have taken effect.'),
  LEASE_UNKNOWN: kind(404, false, 'The space knows no such lease: it ended, was cancelled, or its entry was taken.'),
  TRANSACTION_ENDED: kind(409, false, 'The transaction has ended: it was committed or aborted, or its lease is over.'),
  OTHER_PARTITION: kind(
    409,
    false,
    'These operations belong to different partitions of the space; nothing of this call was done.',
  ),
  CLAIM_LOST: kind(409, false, 'The space has given this entry to another holder; nothing of this attempt was kept.'),
  REQUEST_TIMEOUT: kind(504, false, 'No worker answered before the deadline; one may have started.'),
  SESSION_CONFLICT: kind(
    409,
    false,
    'Another request has changed the same attribute of this session; nothing was saved.',
  ),
  SESSION_LOCKED: kind(503, true, 'The session is locked by another request. Nothing was done; try again.'),
  SESSION_TOO_LARGE: kind(413, false, 'The session would be larger than it may be; nothing was saved.'),
  WORKER_LOST: kind(502, false, 'The worker died after it had started this request; it was not run again.'),
  DELIVERIES_EXHAUSTED: kind(502, false, 'Every worker that was given this request died before it answered.'),
  TASK_FAILED: kind(500, false, 'The task failed; its error is the cause.'),
  TICKET_UNKNOWN: kind(404, false, 'The space knows no such ticket: it was never opened, or its lease has ended.'),
  TICKET_PENDING: kind(504, true, 'The ticket has no outcome yet.'),
  TICKET_CANCELLED: kind(409, false, 'The ticket was cancelled before it had an outcome.'),
  KEY_REUSED: kind(422, false, 'This idempotency key was used for something else. Use another one.'),
  BAD_RESPONSE: kind(502, false, 'The worker answered with something that is not an HTTP response.'),
  URL_UNKNOWN: kind(
    500,
    false,
    "The space's address is not understood. Use redis://host:6379, rediss://…, unix:///path or memory:",
  ),
  REDIS_TOO_OLD: kind(500, false, 'takespace needs Redis 7.0 or Valkey, for its functions. Upgrade the server.'),
  REDIS_EVICTS: kind(500, false, 'The server may evict entries. Set maxmemory-policy to noeviction.'),
  REDIS_REFUSED: kind(
    500,
    false,
    'The server refused the connection or a command. Check user, password and permissions.',
  ),
  REDIS_UNSUITABLE: kind(500, false, 'The server at this address cannot hold a space.'),
  TLS_FAILED: kind(500, false, 'The TLS connection to Redis was not established.'),
  DATA_NEWER: kind(500, false, 'The space was written by a newer takespace. Upgrade this process.'),
  DATA_OLDER: kind(500, false, 'The space was written by an older takespace, whose data this one does not read.'),
  OLDER_PROCESSES: kind(
    503,
    true,
    'Processes of an older takespace are in the space and would undo this. Nothing was done; upgrade them.',
  ),
  DATA_DAMAGED: kind(502, false, 'Something in the space is not what takespace has written.'),
  PARTITIONS_DIFFER: kind(500, false, 'The space has another number of partitions than was asked for.'),
  SPACE_MOVES: kind(500, false, 'The space moves to another address or to other partitions, or has moved.'),
  DURABILITY_UNAVAILABLE: kind(500, false, 'The server does not give the durability that was asked for.'),
  ORDER_REFUSED: kind(409, false, 'The process did not obey the order.'),
  ORDER_UNANSWERED: kind(
    504,
    true,
    'The process did not answer: it is blocked, has ended, or runs a version that takes no orders.',
  ),
  APP_FILE_MISSING: kind(500, false, 'The app file cannot be loaded.'),
  APP_NOT_EXPORTED: kind(
    500,
    false,
    'The app file exports no app. Add the line: export default app (or, for tasks: export const tasks = { … })',
  ),
  APP_SHAPE_UNKNOWN: kind(
    500,
    false,
    'This is not an app takespace can run: give an Express, Fastify or Koa app, a (req, res) function or { fetch }.',
  ),
  APP_NOT_READY: kind(500, false, 'The app did not get ready for requests: its ready() failed.'),
  PORT_TAKEN: kind(500, false, 'Another process listens on this port. Choose another with --port.'),
  INTERNAL: kind(500, false, 'takespace met a state that should not exist. Please report it.'),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

/**
 * The error of every failing call, except a wait that is ended by its AbortSignal, which rejects with `signal.reason`.
 *
 * @example
 * try { await lease.renew(60_000) } catch (error) {
 *   if (isSpaceError(error, 'LEASE_UNKNOWN')) console.log('too late: the entry is gone')
 * }
 */
export class SpaceError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly retryable: boolean

  /**
   * `detail` is appended to the message of the table: which argument, which server, which number. `status`: another one
   * than that of the table.
   */
  constructor(code: ErrorCode, detail = '', options?: ErrorOptions & { readonly status?: number }) {
    const { message, status, retryable } = ERRORS[code]
    super(detail ? `${message} ${detail}` : message, options)
    this.name = 'SpaceError'
    this.code = code
    this.status = options?.status ?? status
    this.retryable = retryable
  }
}

/** @internal Returns the error of an operation that took effect on the primary, and that too few replicas have. */
export const unconfirmedError = (): SpaceError =>
  new SpaceError('OUTCOME_UNKNOWN', 'Too few replicas have confirmed it.', { status: 503 })

/** Returns whether an error is a SpaceError, and of this code if one is given. */
export function isSpaceError(error: unknown, code?: ErrorCode): error is SpaceError {
  return error instanceof SpaceError && (code === undefined || error.code === code)
}

/** @internal Returns whether a text is an error code. */
export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text)
