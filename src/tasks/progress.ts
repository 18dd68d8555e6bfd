/** Note: what stands on a ticket while nothing has become of it: how far it is, and what a scheduler knows of it. */

import { LARGEST_PROGRESS } from '../engine/tickets.js'
import { decodeFields, encodeFields } from '../entry/codec.js'
import { SpaceError } from '../errors.js'

export interface Progress {
  /** What the task said last. */
  readonly progress?: unknown
  /** Of one that a scheduler looks after. */
  readonly phase?: 'scheduled' | 'running'
  readonly attempt?: number
  /** The error of its last attempt, as `name: message`. */
  readonly error?: string
  /** When its next attempt is due, ms since 1970. */
  readonly dueAt?: number
}

/** @throws SpaceError INVALID_ARGUMENT, INVALID_ENTRY */
export function encodeProgress(progress: Progress): Buffer {
  const bytes = encodeFields(progress)
  if (bytes.length > LARGEST_PROGRESS) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `Progress is a value of at most ${LARGEST_PROGRESS} bytes, not ${bytes.length}.`,
    )
  }
  return bytes
}

/** Nothing, where it is not what we have written. */
export function decodeProgress(bytes: Buffer): Progress {
  try {
    return bytes.length === 0 ? {} : (decodeFields(bytes) as Progress)
  } catch {
    return {}
  }
}
