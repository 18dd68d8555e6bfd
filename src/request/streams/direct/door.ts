/**
 * The door of a process that invites others to direct connections: it listens on a unix socket, and on a TCP address if
 * it was given one. Whoever connects without the secret of an invitation is cut off and counted.
 */
import { chmod } from 'node:fs/promises'
import { type AddressInfo, createServer, isIPv6, type ListenOptions, type Server, type Socket } from 'node:net'
import { monotonicMs } from '../../../clock.js'
import { SpaceError } from '../../../errors.js'
import type { Logger } from '../../../log.js'
import { type HostPort, isUnspecified } from './address.js'
import { removeLeftSockets, socketPath } from './folder.js'
import { firstLine, HANDSHAKE_MS } from './handshake.js'
import { guestIn, guestLine, hostLine, isLine, newSecret } from './proof.js'

/** How long an invitation is valid. */
const INVITED_MS = 10_000
/** A process that has not come is invited again after this time, while it streams. */
const AGAIN_MS = 30_000
/** Connections in the handshake at a time; for a further one the oldest is cut off: who was invited is quick. */
const MOST_UNPROVEN = 256
const MOST_INVITATIONS = 10_000

interface Invitation {
  readonly secret: Buffer
  readonly at: number
  isUsed: boolean
}

export interface DoorTerms {
  /** The name of this process in the space. */
  readonly presence: string
  readonly logger: Logger
  onGuest(presence: string, socket: Socket, first: Buffer): void
}

export class Door {
  readonly #terms: DoorTerms
  readonly #servers: Server[] = []
  readonly #unproven = new Set<Socket>()
  /** By presence. */
  readonly #invitations = new Map<string, Invitation>()
  #addresses: string[] = []
  /** Connections that were cut off: they did not prove that they were invited. */
  refused = 0

  constructor(terms: DoorTerms) {
    this.#terms = terms
  }

  /** Opens the unix socket, if there can be one, and the TCP address. Throws INVALID_ARGUMENT. */
  async open(address: HostPort | undefined): Promise<void> {
    const { presence, logger } = this.#terms
    void removeLeftSockets()
    const path = socketPath(presence)
    if (!path && process.getuid) {
      logger.warn(
        {},
        'there is no private folder for the unix socket of streams (TMPDIR): streams take their other ways',
      )
    }
    if (path) {
      try {
        await this.#listen({ path })
        await chmod(path, 0o600)
        this.#addresses.push(`unix:${presence}`)
      } catch (error) {
        logger.warn(
          { err: error, path },
          'the unix socket for streams could not be opened: streams take their other ways',
        )
      }
    }
    if (!address) return
    const { host, port } = await this.#listenOn(address)
    this.#addresses.push(`tcp:${isIPv6(host) ? `[${host}]` : host}:${port}`)
    logger.info({ host, port }, 'listening for direct connections of workers')
  }

  /** Returns the invitation of a process: addresses and secret; undefined if it has one, or nothing is open. */
  invite(presence: string): { addresses: string; secret: Buffer } | undefined {
    if (this.#addresses.length === 0) return undefined
    const now = monotonicMs()
    const former = this.#invitations.get(presence)
    if (former && !former.isUsed && now - former.at < AGAIN_MS) return undefined
    if (this.#invitations.size >= MOST_INVITATIONS) this.#forgetOld(now)
    if (this.#invitations.size >= MOST_INVITATIONS) return undefined
    const secret = newSecret()
    this.#invitations.set(presence, { secret, at: now, isUsed: false })
    return { addresses: this.#addresses.join(' '), secret }
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const socket of this.#unproven) socket.destroy()
    this.#addresses = []
  }

  async #listenOn(address: HostPort): Promise<HostPort> {
    const { host } = address
    try {
      const server = await this.#listen(address)
      const at = server.address() as AddressInfo
      if (!isUnspecified(at.address)) return { host, port: at.port }
      server.close()
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      const why = isTaken ? ' Another process listens there; several processes of a gateway need port 0.' : ''
      throw notAccepted(address, why, error)
    }
    throw notAccepted(address, ' It is the address of all interfaces, to which no worker can connect.')
  }

  #listen(on: ListenOptions): Promise<Server> {
    const server = createServer((socket) => this.#met(socket))
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      // Exclusive: processes that share the port of HTTP must not share this one.
      server.listen({ ...on, exclusive: true }, () => {
        server.off('error', reject).on('error', () => {})
        this.#servers.push(server)
        resolve(server)
      })
    })
  }

  #met(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#unproven.size >= MOST_UNPROVEN) this.#cutOldest()
    this.#unproven.add(socket)
    void firstLine(socket).then((found) => {
      this.#unproven.delete(socket)
      // Another gateway that starts has looked whether this socket is in use.
      if (socket.destroyed && socket.bytesRead === 0) return
      const guest = found && guestIn(found.line)
      const secret = guest && this.#secretOf(guest)
      const { presence } = this.#terms
      if (!found || !guest || !secret || !isLine(found.line, guestLine(secret, guest, presence))) {
        return this.#refuse(socket)
      }
      // One connection for one invitation.
      this.#invitations.get(guest)!.isUsed = true
      socket.write(hostLine(secret, guest, presence))
      this.#terms.onGuest(guest, socket, found.rest)
    })
  }

  #secretOf(presence: string): Buffer | undefined {
    const invitation = this.#invitations.get(presence)
    const isValid = invitation && !invitation.isUsed && monotonicMs() - invitation.at < INVITED_MS + HANDSHAKE_MS
    return isValid ? invitation.secret : undefined
  }

  #cutOldest(): void {
    const [oldest] = this.#unproven
    if (!oldest) return
    this.#unproven.delete(oldest)
    oldest.destroy()
  }

  #refuse(socket: Socket): void {
    this.refused++
    socket.destroy()
  }

  #forgetOld(now: number): void {
    for (const [presence, { at }] of this.#invitations) if (now - at > AGAIN_MS) this.#invitations.delete(presence)
  }
}

const notAccepted = ({ host, port }: HostPort, why: string, cause?: unknown): SpaceError =>
  new SpaceError('INVALID_ARGUMENT', `Streams cannot be accepted on ${host}:${port} (directStreams).${why}`, { cause })
