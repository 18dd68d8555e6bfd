/** The properties of net.Socket that describe a connection, for both kinds of sockets that apps are given. */
import type { AddressInfo } from 'node:net'
import type { HttpRequest } from '../../src/request.js'

/** Key under which a socket keeps the request that it belongs to. */
export const REQUEST_OF_SOCKET = Symbol('request')

interface OfRequest {
  readonly [REQUEST_OF_SOCKET]: HttpRequest
  readonly readable: boolean
  readonly writable: boolean
  readonly destroyed: boolean
  readonly writableLength: number
}

/** Ports and local address are undefined for a request without a connection (`client.fetch()`). */
interface Ends {
  readonly remoteAddress: string
  readonly remoteFamily: string
  readonly remotePort: number | undefined
  readonly localAddress: string | undefined
  readonly localFamily: string | undefined
  readonly localPort: number | undefined
  /** True if the client uses TLS. */
  encrypted: boolean
  readonly connecting: boolean
  readonly pending: boolean
  readonly readyState: 'open' | 'readOnly' | 'writeOnly' | 'closed'
  readonly bufferSize: number
  /** Returns the local end, to which the client has connected; `{}` if the ports are undefined. */
  address(): Partial<AddressInfo>
}

const familyOf = (address: string): string => (address.includes(':') ? 'IPv6' : 'IPv4')

/** Getters, so that a request whose app does not read them pays nothing. */
const ENDS: Ends & ThisType<Ends & OfRequest> = {
  get remoteAddress() {
    return this[REQUEST_OF_SOCKET].peer
  },
  get remoteFamily() {
    return familyOf(this[REQUEST_OF_SOCKET].peer)
  },
  get remotePort() {
    return this[REQUEST_OF_SOCKET].peerPort
  },
  get localAddress() {
    return this[REQUEST_OF_SOCKET].localAddress
  },
  get localFamily() {
    const address = this[REQUEST_OF_SOCKET].localAddress
    return address === undefined ? undefined : familyOf(address)
  },
  get localPort() {
    return this[REQUEST_OF_SOCKET].localPort
  },
  get encrypted() {
    return this[REQUEST_OF_SOCKET].secure
  },
  // Writable in Node.js: middleware in front of an app sets it.
  set encrypted(value) {
    Object.defineProperty(this, 'encrypted', { value, writable: true, enumerable: true, configurable: true })
  },
  get connecting() {
    return false
  },
  get pending() {
    return this.destroyed
  },
  get readyState() {
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  },
  get bufferSize() {
    return this.writableLength
  },
  address() {
    const { localAddress: address, localFamily: family, localPort: port } = this
    return address === undefined || port === undefined ? {} : { address, family: family as string, port }
  },
}

/** Adds these properties to the prototype of a socket. */
export function addEnds(prototype: object): void {
  Object.defineProperties(prototype, Object.getOwnPropertyDescriptors(ENDS))
}

/** Has these properties alone, for an app that is given no socket. */
export class Peer {
  readonly [REQUEST_OF_SOCKET]: HttpRequest

  constructor(request: HttpRequest) {
    this[REQUEST_OF_SOCKET] = request
  }
}

addEnds(Peer.prototype)

/** Bytes of the head as the client sent it, without the fields that the gateway has dropped. */
export function headBytes({ method, target, headers }: HttpRequest): number {
  // The line ends with ` HTTP/1.1` and CRLF, each field has `: ` and CRLF, and the head ends with CRLF.
  let bytes = method.length + 1 + target.length + 11 + 2
  for (let i = 0; i < headers.length; i += 2) bytes += headers[i]!.length + headers[i + 1]!.length + 4
  return bytes
}
