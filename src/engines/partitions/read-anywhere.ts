/** A read that waits in several partitions at once: the first that is shown a match ends the others. */
import type { Find, Stored } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { onAbort } from '../../runtime/abort.js'
import type { Ask } from './scouted-find.js'

/** The reason with which the other reads are ended. */
const SETTLED = new SpaceError('INTERNAL', 'Another partition had a match.')

export async function readAnywhere(among: readonly number[], find: Find, ask: Ask): Promise<Stored | null> {
  const { signal, conforms } = find
  const ends = new AbortController()
  const unlisten = signal && onAbort(signal, () => ends.abort(signal.reason))
  const own: Find = {
    ...find,
    signal: ends.signal,
    // The match of a read that has lost is of no interest.
    ...(conforms && { conforms: async (stored) => ends.signal.aborted || conforms(stored) }),
  }
  try {
    signal?.throwIfAborted()
    return await firstOf(among.map((partition) => ask(partition, own)))
  } finally {
    unlisten?.()
    ends.abort(SETTLED)
  }
}

/** Returns the first result that is an entry; null once all are null. Rejects with the first error. */
function firstOf(reads: readonly Promise<Stored | null>[]): Promise<Stored | null> {
  return new Promise((resolve, reject) => {
    for (const read of reads) {
      read.then((stored) => {
        if (stored) resolve(stored)
      }, reject)
    }
    Promise.all(reads).then(
      () => resolve(null),
      () => {},
    )
  })
}
