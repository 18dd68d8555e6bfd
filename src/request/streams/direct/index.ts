/**
 * Direct connections between the processes of streams. A gateway invites each process with which it has a stream: it
 * sends the addresses of its door and a secret through the space. The other process connects, so it needs no open port.
 * From then on the frames between the two take the connection. Without one they are published.
 */
import type { Socket } from 'node:net'
import type { Logger } from '../../../log.js'
import { type DirectTerms, targetsIn } from './address.js'
import { Door } from './door.js'
import { visit } from './guest.js'
import { DirectLink } from './link.js'

/** Connections that this process opens at a time. */
const MOST_VISITS = 64

export interface DirectEvents {
  onFrame(from: string, letter: string, id: string, place: string, bytes: Buffer): void
  /** Called before the first frame goes over the new connection. */
  onOpen(presence: string): void
  /** Frames to and from this process may have been lost. */
  onLost(presence: string): void
}

export class DirectLinks {
  readonly #presence: string
  readonly #terms: DirectTerms
  readonly #events: DirectEvents
  readonly #links = new Map<string, DirectLink>()
  readonly #visits = new Set<string>()
  #door: Door | undefined
  #isClosed = false

  constructor(presence: string, terms: DirectTerms, events: DirectEvents) {
    this.#presence = presence
    this.#terms = terms
    this.#events = events
  }

  /** Opens the door, unless direct connections are off. Throws INVALID_ARGUMENT. */
  async listen(logger: Logger): Promise<void> {
    if (!this.#terms.unix || this.#door) return
    const onGuest = (guest: string, socket: Socket, first: Buffer): void => this.#opened(guest, socket, first)
    const door = new Door({ presence: this.#presence, logger, onGuest })
    this.#door = door
    try {
      await door.open(this.#terms.listen)
    } catch (error) {
      door.close()
      this.#door = undefined
      throw error
    }
  }

  /** Returns the connection to a process, if there is one. */
  to(presence: string): DirectLink | undefined {
    return this.#links.size === 0 ? undefined : this.#links.get(presence)
  }

  get size(): number {
    return this.#links.size
  }

  /** Connections that were cut off at the door. */
  get refused(): number {
    return this.#door?.refused ?? 0
  }

  /**
   * Returns the invitation to send to a process; undefined if it has one, or this process has no door. A process does not
   * invite itself: both ends would be the connection to the same name, and each would close the other for a new one.
   */
  invite(presence: string): { addresses: string; secret: Buffer } | undefined {
    return this.#isClosed || presence === this.#presence ? undefined : this.#door?.invite(presence)
  }

  /** Accepts an invitation, if it has an address to which this process may connect. */
  async accept(host: string, addresses: string, secret: Buffer): Promise<void> {
    if (this.#isClosed || this.#links.has(host) || this.#visits.has(host) || this.#visits.size >= MOST_VISITS) return
    const targets = targetsIn(addresses, this.#terms)
    if (targets.length === 0) return
    this.#visits.add(host)
    const met = await visit({ targets, secret: Buffer.from(secret), guest: this.#presence, host })
    this.#visits.delete(host)
    if (met) this.#opened(host, met.socket, met.first)
  }

  /** From time to time, while there are streams. */
  look(): void {
    for (const link of this.#links.values()) link.look()
  }

  close(): void {
    this.#isClosed = true
    this.#door?.close()
    for (const link of this.#links.values()) link.close()
  }

  #opened(presence: string, socket: Socket, first: Buffer): void {
    if (this.#isClosed || socket.destroyed) return void socket.destroy()
    // The former one may be dead without knowing it.
    this.#links.get(presence)?.close()
    this.#events.onOpen(presence)
    const link: DirectLink = new DirectLink(socket, {
      onFrame: (letter, id, place, bytes) => this.#events.onFrame(presence, letter, id, place, bytes),
      onClosed: () => {
        if (this.#links.get(presence) !== link) return
        this.#links.delete(presence)
        if (!this.#isClosed) this.#events.onLost(presence)
      },
    })
    this.#links.set(presence, link)
    link.read(first)
  }
}
