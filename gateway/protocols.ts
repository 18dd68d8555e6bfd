/** The protocols that a client may switch its connection to (RFC 9110 §7.8): WebSocket, and others by name. */
import type { IncomingMessage } from 'node:http'
import { UPGRADE_INVALID, UPGRADE_METHOD, UPGRADE_REQUIRED } from './refusals.js'

export const WEBSOCKET = 'websocket'

const KEY = /^[A-Za-z0-9+/]{22}==$/
/** The final version, and the last draft, which has the same frames: those of `ws`. */
const VERSIONS: ReadonlySet<number> = new Set([13, 8])

/**
 * Returns the value of Upgrade that is passed on; undefined if the request is to be served as if it had not asked.
 *
 * @param served names of protocols beside WebSocket, in lower case, with or without a version
 */
export function askedProtocol({ headers }: IncomingMessage, served: readonly string[]): string | undefined {
  const asked = headers.upgrade ?? ''
  if (asked.toLowerCase() === WEBSOCKET) return WEBSOCKET
  // A body would have to be read before the switch.
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  if (served.length === 0 || hasBody) return undefined
  const names = asked.split(',').map((name) => name.trim())
  return names.filter((name) => isServed(name.toLowerCase(), served)).join(', ') || undefined
}

const isServed = (name: string, served: readonly string[]): boolean =>
  served.includes(name) || served.includes(name.split('/', 1)[0] as string)

/** Returns the protocol of an upgrade. Throws a Refusal for an invalid handshake, with the status that `ws` gives. */
export function checkedProtocol(req: IncomingMessage, served: readonly string[]): string {
  const protocol = askedProtocol(req, served)
  // HTTP/1.0 has no upgrades.
  if (protocol === undefined || req.httpVersion !== '1.1') throw UPGRADE_REQUIRED
  if (protocol !== WEBSOCKET) return protocol
  if (req.method !== 'GET') throw UPGRADE_METHOD
  const { 'sec-websocket-key': key = '', 'sec-websocket-version': version } = req.headers
  if (!KEY.test(key) || !VERSIONS.has(Number(version))) throw UPGRADE_INVALID
  return protocol
}

/** Returns whether this is the name of a protocol that may be let through. */
export const isProtocolName = (name: unknown): name is string =>
  typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+(?:\/[\w!#$%&'*+.^`|~-]+)?$/.test(name)

/** HTTP/2 would pass requests around the checks of the gateway. */
export const isForbidden = (name: string): boolean => /^h2c?(?:$|\/)/i.test(name)
