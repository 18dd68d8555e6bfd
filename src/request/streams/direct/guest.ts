/** Connects to a process that has sent an invitation, and proves both ends to each other. */
import { connect, type Socket } from 'node:net'
import type { Target } from './address.js'
import { firstLine, HANDSHAKE_MS } from './handshake.js'
import { guestLine, hostLine, isLine } from './proof.js'

export interface Visit {
  readonly targets: readonly Target[]
  readonly secret: Buffer
  /** The names of the two processes in the space: the one that connects, and the one that listens. */
  readonly guest: string
  readonly host: string
}

/**
 * Returns the proven socket, paused, and what has arrived behind the handshake; undefined if no address can be reached,
 * or the other end does not know the secret.
 */
export async function visit(terms: Visit): Promise<{ socket: Socket; first: Buffer } | undefined> {
  for (const target of terms.targets) {
    const socket = await connected(target)
    if (!socket) continue
    socket.write(guestLine(terms.secret, terms.guest, terms.host))
    const found = await firstLine(socket)
    if (found && isLine(found.line, hostLine(terms.secret, terms.guest, terms.host)))
      return { socket, first: found.rest }
    socket.destroy()
  }
  return undefined
}

const connected = (target: Target): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = connect(target)
    const give = (result?: Socket): void => {
      clearTimeout(timer)
      resolve(result)
    }
    const timer = setTimeout(() => {
      socket.destroy()
      give()
    }, HANDSHAKE_MS)
    socket.on('connect', () => give(socket)).on('error', () => give())
  })
