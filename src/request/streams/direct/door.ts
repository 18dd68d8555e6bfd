/**
 * The door of a process that invites others to direct connections: it listens on a unix socket, and on a TCP address if
 * it was given one. Whoever connects without the secret of an invitation is cut off and counted.
 */
import { chmod } from 'node:fs/promises'
import { type AddressInfo, createServer, isIPv6, type ListenOptions, type Server, type Socket } from 'node:net'
import { monotonicMs } from '../../../clock.js'
import { SpaceError } from '../../../errors.js'
import type { Logger } from '../../../log.js'
import type { HostPort } from './address.js'
import { removeLeftSockets, socketPath } from './folder.js'
import { firstLine, HANDSHAKE_MS } from './handshake.js'
import { guestIn, guestLine, hostLine, isLine, newSecret } from './proof.js'

/** How long an invitation is valid. */
const INVITED_MS = 10_000
/** A process that has not come is invited again after this time, while it streams. */
const AGAIN_MS = 30_000
/** Connections in the handshake at a time; further ones wait in the backlog of the system, or are refused. */
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

  /** Opens the unix socket, if there can be one, and the TCP address. Throws PORT_TAKEN or INVALID_ARGUMENT. */
  async open(address: HostPort | undefined): Promise<void> {
    const { presence, logger } = this.#terms
    void removeLeftSockets()
    const path = socketPath(presence)
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
      return { host, port: (server.address() as AddressInfo).port }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const place = `${host}:${address.port}`
      if (code === 'EADDRINUSE')
        throw new SpaceError('PORT_TAKEN', `The address of streams is ${place}.`, { cause: error })
      throw new SpaceError('INVALID_ARGUMENT', `Streams cannot be accepted on ${place}.`, { cause: error })
    }
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
    if (this.#unproven.size >= MOST_UNPROVEN) return this.#refuse(socket)
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

  #refuse(socket: Socket): void {
    this.refused++
    socket.destroy()
  }

  #forgetOld(now: number): void {
    for (const [presence, { at }] of this.#invitations) if (now - at > AGAIN_MS) this.#invitations.delete(presence)
  }
}
