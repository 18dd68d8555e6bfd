/** The header of the PROXY protocol, versions 1 and 2: the ends of a connection, as the proxy in front has seen them. */
import { isIPv4, isIPv6 } from 'node:net'

/** One end of a connection. */
interface End {
  readonly address: string
  readonly port: number
}

export interface ProxyHeader {
  /** Bytes of the header. */
  readonly length: number
  /** Undefined if the connection is the proxy's own (health checks) or is not of TCP over IP. */
  readonly ends: { readonly source: End; readonly destination: End } | undefined
  /** True if the client has connected to the proxy by TLS; version 2 only. */
  readonly secure: boolean
}

/** The longest header of version 1, by its specification. */
const LONGEST_V1 = 107
/** Far more than the addresses, the host name and the names in a client's certificate. */
const LONGEST_V2 = 4_096

const V1 = Buffer.from('PROXY ')
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Returns the header at the beginning of a connection; `incomplete` or `malformed` if there is none. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  if (beginsWith(bytes, V1)) return readV1(bytes)
  return beginsWith(bytes, V2) ? readV2(bytes) : 'malformed'
}

/** Returns whether the bytes are the beginning of `sign`, or begin with it. */
const beginsWith = (bytes: Buffer, sign: Buffer): boolean => {
  const length = Math.min(bytes.length, sign.length)
  return sign.subarray(0, length).equals(bytes.subarray(0, length))
}

const PORT = /^(?:0|[1-9]\d{0,4})$/

function readV1(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  const end = bytes.subarray(0, LONGEST_V1).indexOf('\r\n')
  if (end < 0) return bytes.length < LONGEST_V1 ? 'incomplete' : 'malformed'
  const [, family, ...parts] = bytes.toString('latin1', 0, end).split(' ')
  const length = end + 2
  if (family === 'UNKNOWN') return { length, ends: undefined, secure: false }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  const [from = '', to = '', fromPort = '', toPort = ''] = parts
  if (!isAddress?.(from) || !isAddress(to) || parts.length !== 4) return 'malformed'
  const [source, destination] = [endOf(from, fromPort), endOf(to, toPort)]
  return source && destination ? { length, ends: { source, destination }, secure: false } : 'malformed'
}

function endOf(address: string, digits: string): End | undefined {
  const port = PORT.test(digits) ? Number(digits) : 65_536
  return port < 65_536 ? { address, port } : undefined
}

const HEAD_V2 = 16
const LOCAL = 0x20
const PROXIED = 0x21
const TCP4 = 0x11
const TCP6 = 0x21
/** Families without an address of TCP over IP: unspecified, and Unix sockets. */
const NAMELESS: ReadonlySet<number> = new Set([0x00, 0x31])

function readV2(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  if (bytes.length < HEAD_V2) return 'incomplete'
  const length = HEAD_V2 + bytes.readUInt16BE(14)
  if (length > LONGEST_V2) return 'malformed'
  if (bytes.length < length) return 'incomplete'
  const [command, family] = [bytes[12], bytes[13] as number]
  if (command === LOCAL) return { length, ends: undefined, secure: false }
  if (command !== PROXIED) return 'malformed'
  const size = family === TCP4 ? 4 : family === TCP6 ? 16 : 0
  if (size === 0) return NAMELESS.has(family) ? { length, ends: undefined, secure: false } : 'malformed'
  const body = bytes.subarray(HEAD_V2, length)
  if (body.length < 2 * size + 4) return 'malformed'
  const secure = isSecure(body.subarray(2 * size + 4))
  if (secure === undefined) return 'malformed'
  const source = { address: addressIn(body.subarray(0, size)), port: body.readUInt16BE(2 * size) }
  const destination = { address: addressIn(body.subarray(size, 2 * size)), port: body.readUInt16BE(2 * size + 2) }
  return { length, ends: { source, destination }, secure }
}

/** Returns the text of an address in network byte order. */
function addressIn(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  // Normalised as in Node.js: `2001:db8::1`, and `::ffff:203.0.113.7` for a mapped address.
  const text = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
  return text.startsWith('::ffff:') ? bytes.subarray(12).join('.') : text
}

const SSL = 0x20
const BY_TLS = 0x01

/** Returns whether the extensions (type, length, value) say that the client uses TLS; undefined if they are malformed. */
function isSecure(extensions: Buffer): boolean | undefined {
  let secure = false
  let at = 0
  while (at + 3 <= extensions.length) {
    const next = at + 3 + extensions.readUInt16BE(at + 1)
    if (next > extensions.length) return undefined
    if (extensions[at] === SSL) {
      if (next - at < 4) return undefined
      secure = ((extensions[at + 3] as number) & BY_TLS) !== 0
    }
    at = next
  }
  return at === extensions.length ? secure : undefined
}
