/** Saves of session entries as tests make them, and what they look at afterwards. */

import type { LoadedSession, SessionChange } from '../../src/engine/sessions.js'
import type { SpaceError } from '../../src/errors.js'
import type { Space } from '../../src/space.js'
import type { Opened } from '../support/every-engine.js'

export const ID = '$one'

export const change = (set: Record<string, string>, more: Partial<SessionChange> = {}): SessionChange => ({
  leaseMs: 60_000,
  isNew: false,
  set: Object.entries(set),
  removed: [],
  lock: '',
  maxBytes: 100_000,
  ...more,
})

export const textsOf = (loaded: LoadedSession | null): Record<string, string> | null =>
  loaded && Object.fromEntries(Array.from(loaded.attributes, ([name, { text }]) => [name, text]))

export const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: SpaceError) => error.code,
  )

export const sessionsOf = (space: Space) => space.engine.sessions

/** Makes a session in a space; returns what its save returns. */
export const makerOf =
  (opened: () => Opened) =>
  (set: Record<string, string>, more: Partial<SessionChange> = {}, id = ID) =>
    sessionsOf(opened().space).save(id, change(set, { isNew: true, ...more }))

export const versionsOf = (loaded: LoadedSession | null): Map<string, string> =>
  new Map(Array.from(loaded?.attributes ?? [], ([name, { version }]) => [name, version]))

/** Returns what another process reads of a session, as texts by name; null if there is none. */
export const readerOf =
  (opened: () => Opened) =>
  async (id = ID) =>
    textsOf(await sessionsOf(opened().other).load(id))
