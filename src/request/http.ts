/** Rules of HTTP that gateway, workers and `client.fetch` share: methods, field names, the form of a host. */

/**
 * Characters that a field value or a reason phrase may not have: control characters but the tab, and non-Latin-1
 * (RFC 9110 §5.5).
 */
export const NOT_TEXT = /[^\t\x20-\x7e\x80-\xff]/

/** RFC 9110 §9.2.2: a second run has the same effect as one. */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/**
 * Fields of one connection (RFC 9110 §7.6.1), which a worker's response does not have: the gateway frames anew. Only a
 * `Transfer-Encoding: chunked` that the app itself has set reaches the gateway; see `isChunked`.
 */
export const CONNECTION_FIELDS: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]

/**
 * Fields that end at the gateway, in both directions: those of the connection, and some that older software treats
 * alike.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...CONNECTION_FIELDS,
  'proxy-authenticate',
  'proxy-authorization',
  'trailer',
])

/**
 * RFC 9110 §6.5.1: framing, routing and authentication. Software that merges trailers into the header fields would be
 * misled.
 */
export const NEVER_IN_TRAILERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'content-range',
  'authorization',
  'cookie',
  'set-cookie',
  'x-request-id',
])

/** The trailer by which a worker tells the gateway that a streamed body is incomplete: its connection is to be cut. */
export const CUT_SHORT = 'x-takespace-cut-short'

/** Host (RFC 9112 §3.2): a name or an address, and a port. User information or a path would become part of a URL. */
export const HOST = /^(?:[\w.~!$&'()*+;=%-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i

/**
 * Returns whether a worker's response with this Transfer-Encoding can be framed anew: its body is not encoded. With any
 * other coding, the body would arrive encoded and without the field that says so.
 */
export const isUncoded = (transferEncoding: string): boolean => /^(?:chunked|identity)?$/i.test(transferEncoding.trim())

/**
 * Returns whether an app asks with this Transfer-Encoding for a body in chunks, also if its length is known. Responses
 * with these statuses have no Transfer-Encoding, or need none (RFC 9112 §6.1).
 */
export const isChunked = (transferEncoding: string, status: number): boolean =>
  /^chunked$/i.test(transferEncoding.trim()) && status >= 200 && status !== 204 && status !== 304

/** Returns whether a response to this method has no body by rule (RFC 9110 §6.4.1). */
export const isBodiless = (status: number, method: string | undefined): boolean =>
  status === 204 || status === 304 || method === 'HEAD'
