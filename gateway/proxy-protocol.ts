/** Connections whose first bytes are a header of the PROXY protocol: they get the ends that the header names. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from '../src/log.js'
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
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  const accept = (socket: Socket): void => {
    for (const listener of listeners) listener.call(server, socket)
  }
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
  server.on('connection', (socket: Socket) => {
    // A connection that the server has seen before: its upgrade was ignored.
    if (headers.has(socket) || !isTrusted(socket)) return accept(socket)
    const { remoteAddress } = socket
    readFirst(socket, (header) => {
      if (header === undefined) {
        if (socket.bytesRead > 0) refused(remoteAddress)
        return void socket.destroy()
      }
      headers.set(socket, header)
      if (header.ends) announce(socket, header)
      accept(socket)
    })
  })
}

/** Calls `done` once, with the header, or with undefined if there is none in time. */
function readFirst(socket: Socket, done: (header: ProxyHeader | undefined) => void): void {
  let bytes: Buffer = Buffer.alloc(0)
  const finish = (header: ProxyHeader | undefined): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onGone).off('close', onGone).off('error', onGone)
    if (header === undefined) socket.on('error', () => {})
    else if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
    done(header)
  }
  const onGone = (): void => finish(undefined)
  const onReadable = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      bytes = Buffer.concat([bytes, chunk])
      const header = readProxyHeader(bytes)
      if (header !== 'incomplete') return finish(header === 'malformed' ? undefined : header)
    }
  }
  const timer = setTimeout(onGone, HEADER_MS)
  socket.on('readable', onReadable).on('end', onGone).on('close', onGone).on('error', onGone)
}

/** What a header has told of a connection holds for the TLS connection on it. */
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
