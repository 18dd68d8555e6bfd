/** Progress: what a ticket holds before its outcome: the task's last report, and the state of its scheduler. */

import { LARGEST_PROGRESS } from '../engine/tickets.js'
import { decodeFields, encodeFields } from '../entry/codec.js'
import { SpaceError } from '../errors.js'

export interface Progress {
  /** The last report of the task. */
  readonly progress?: unknown
  /** Set by a scheduler. */
  readonly phase?: 'scheduled' | 'running'
  readonly attempt?: number
  /** The error of the last attempt: `name: message`. */
  readonly error?: string
  /** When the next attempt is due, ms since 1970. */
  readonly dueAt?: number
}

/** @throws SpaceError INVALID_ARGUMENT, INVALID_ENTRY */
export function encodeProgress(progress: Progress): Buffer {
  const bytes = encodeFields(progress)
  if (bytes.length > LARGEST_PROGRESS) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `Progress must have at most ${LARGEST_PROGRESS} bytes; this has ${bytes.length}.`,
    )
  }
  return bytes
}

/** Returns the progress; {} if the bytes are malformed. */
export function decodeProgress(bytes: Buffer): Progress {
  try {
    return bytes.length === 0 ? {} : (decodeFields(bytes) as Progress)
  } catch {
    return {}
  }
}
