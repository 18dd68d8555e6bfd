/** Connections whose first bytes are a header of the PROXY protocol: they get the ends that the header names. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from '../src/log.js'
import { type First, intercept, readFirst } from './first-bytes.js'
import { type ProxyHeader, readProxyHeader } from './proxy-header.js'

/** Time for a header to arrive; the specification recommends at least 3 s, for a lost packet. */
const HEADER_MS = 5_000

const headers = new WeakMap<Socket, ProxyHeader>()

/** Returns whether a proxy has announced the ends of this connection: it is then one hop away from its peer. */
export const isAnnounced = (socket: Socket): boolean => headers.get(socket)?.ends !== undefined

/** Returns whether nothing has arrived on a connection, apart from its PROXY header. */
export const isSilent = (socket: Socket): boolean => socket.bytesRead === (headers.get(socket)?.length ?? 0)

/**
 * Makes a server read a header from each peer that `trusts` accepts, before it sees the connection. A connection of such
 * a peer without a header is closed. The bytes of other peers are HTTP, which a header is not: they get 501.
 */
export function expectProxyHeaders(server: Server, trusts: (socket: Socket) => boolean, log: Logger): void {
  // A function of the user that throws would end the process here; the exchange that asks it again fails by it.
  const isTrusted = (socket: Socket): boolean => {
    try {
      return trusts(socket)
    } catch {
      return false
    }
  }
  let warns = true
  const refused = (peer: string | undefined): void => {
    if (warns) log.warn({ peer }, 'a trusted proxy sent no PROXY header, and its connection was closed')
    warns = false
  }
  intercept(server, (socket, accept) => {
    // A connection that the server has seen before: its upgrade was ignored.
    if (headers.has(socket) || !isTrusted(socket)) return accept()
    const { remoteAddress } = socket
    readFirst(socket, HEADER_MS, judge, (header) => {
      if (header === undefined) {
        if (socket.bytesRead > 0) refused(remoteAddress)
        return void socket.destroy()
      }
      headers.set(socket, header)
      if (header.ends) announce(socket, header)
      accept()
    })
  })
}

function judge(bytes: Buffer): First<ProxyHeader> | 'incomplete' | 'malformed' {
  const header = readProxyHeader(bytes)
  return typeof header === 'string' ? header : { value: header, length: header.length }
}

/** Has the header of a connection hold for the connection of TLS or the stream of HTTP/2 on it. */
export function inheritHeader(from: Socket, to: Socket): void {
  const header = headers.get(from)
  if (!header) return
  headers.set(to, header)
  if (header.ends) announce(to, header)
}

const familyOf = (address: string): string => (address.includes(':') ? 'IPv6' : 'IPv4')

/** Everything that reads the ends of a socket then sees those of the header. */
function announce(socket: Socket, { ends, secure }: ProxyHeader): void {
  const { source, destination } = ends!
  const values = {
    remoteAddress: source.address,
    remotePort: source.port,
    remoteFamily: familyOf(source.address),
    localAddress: destination.address,
    localPort: destination.port,
    localFamily: familyOf(destination.address),
    ...(secure ? { encrypted: true } : {}),
  }
  for (const [name, value] of Object.entries(values)) Object.defineProperty(socket, name, { value, configurable: true })
}
