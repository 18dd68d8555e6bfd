/**
 * Reactions: what each error reply of a server that cannot serve now means for the calls on a link. Every other error
 * reply fails its operations.
 */

export interface Reaction {
  /** The server may have run the call, or a part of it, before it replied with the error. */
  readonly mayHaveRun: boolean
  /** `again`: the link is good, so the call is sent again after a pause; `relink`: the primary is looked for again. */
  readonly next: 'again' | 'relink'
  /** The reason that an error gives if this goes on for too long. */
  readonly says: string
}

const again = (says: string): Reaction => ({ mayHaveRun: false, next: 'again', says })
const relink = (says: string, mayHaveRun = false): Reaction => ({ mayHaveRun, next: 'relink', says })

/** By the first word of the reply. docs/errors.md has the same table. */
export const REACTIONS: Readonly<Record<string, Reaction>> = {
  BUSY: again('A script of another client blocks the server.'),
  NOREPLICAS: again('The server refuses writes while too few replicas are connected (min-replicas-to-write).'),
  MISCONF: again('The server refuses writes because it cannot write to its disk.'),
  OOM: again('The server has no memory left for the call.'),
  TRYAGAIN: again('The slot of the space is moving to another node of the Cluster.'),
  ASK: again('The slot of the space is moving to another node of the Cluster.'),
  MOVED: relink('The slot of the space has moved to another node of the Cluster.'),
  CLUSTERDOWN: relink('The Cluster does not serve the slot of the space.'),
  READONLY: relink('The server is a replica now.'),
  MASTERDOWN: relink('The server is a replica that has lost its primary.'),
  LOADING: relink('The server is reading its data.'),
  UNBLOCKED: relink('The server has become a replica.', true),
  NOAUTH: relink('The server no longer accepts the login of this connection.'),
  WRONGPASS: relink('The server refuses the user or the password.'),
}

/** Returns undefined if the error is none of these. */
export function reactionTo({ message }: Error): Reaction | undefined {
  const end = message.indexOf(' ')
  const word = end < 0 ? message : message.slice(0, end)
  return Object.hasOwn(REACTIONS, word) ? REACTIONS[word] : undefined
}
