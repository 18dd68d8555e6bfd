/** Answers bytes that are not an HTTP request, after the answers of the requests before them. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { endWith, finishConnection, inTurn, isFinished } from './connection.js'
import {
  BODY_TOO_SLOW,
  HEADERS_TOO_LARGE,
  MALFORMED,
  METHOD_UNKNOWN,
  type Refusal,
  VERSION_UNKNOWN,
} from './refusals.js'

/** By the error codes of the parser of Node.js. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_INVALID_METHOD: METHOD_UNKNOWN,
  HPE_PAUSED_H2_UPGRADE: VERSION_UNKNOWN,
  HPE_HEADER_OVERFLOW: HEADERS_TOO_LARGE,
  ERR_HTTP_REQUEST_TIMEOUT: BODY_TOO_SLOW,
}

/** The parser has one code for a version that it does not know and for a malformed one. */
const UNKNOWN_VERSION = 'Invalid HTTP version'

/** The client has closed its side within a request. */
const CUT_SHORT = 'HPE_INVALID_EOF_STATE'

interface ParseError extends NodeJS.ErrnoException {
  readonly reason?: string
}

/** A field of Node.js that its types leave out. */
interface ParsedSocket extends Socket {
  readonly parser?: { readonly incoming: IncomingMessage | null } | null
}

/** Handles the event 'clientError'. */
export function refuseUnparsed(error: ParseError, socket: Socket): void {
  const { code = '', reason } = error
  const isParseError = code.startsWith('HPE_') || code in REFUSALS
  if (!isParseError) return void socket.destroy()
  // The parser reports an error for each further piece.
  if (isFinished(socket) || !socket.writable) return
  finishConnection(socket)
  const refusal = reason === UNKNOWN_VERSION ? VERSION_UNKNOWN : (REFUSALS[code] ?? MALFORMED)
  const incoming = (socket as ParsedSocket).parser?.incoming
  const req = incoming && !incoming.complete ? incoming : undefined
  if (req && req.listenerCount('error') > 0) {
    // Within a body: the exchange refuses it in its turn. A client that has cut it short counts as gone.
    req.emit('error', code === CUT_SHORT ? error : refusal)
    if (code !== CUT_SHORT) return
  }
  inTurn(socket, () => endWith(socket, refusal), req)
}
