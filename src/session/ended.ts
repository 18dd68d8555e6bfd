/** Listeners for the ends of sessions. */
import { monotonicMs } from '../clock.js'
import { endedOf, ownerToken, SESSION, type SessionEnd } from '../engine/sessions.js'
import type { Interest } from '../engine.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { Inbox } from '../space/inbox.js'
import { checkedLease } from '../space/lease.js'
import { Registration } from '../space/notify.js'
import type { Space } from '../space.js'

export interface SessionEnded {
  /** The hash that `store.idOf` returns, never the id that the browser has. */
  readonly id: string
  /** The user, if `userOf` returned one; a number as text. */
  readonly user: string | undefined
  /** `expired`: its lease has ended without use. */
  readonly reason: SessionEnd
}

export type EndListener = (ended: SessionEnded) => unknown

export interface NotifyEndOptions {
  /** Limits the events to the sessions of this user. */
  readonly user?: string | number | undefined
  /** Lease of the listener, in ms. Default: as long as this process. */
  readonly leaseMs?: number | undefined
  /** Called when events were lost because the connection was cut, with their number. */
  readonly onMissed?: ((count: number) => void) | undefined
  /** Called when the listener throws, or its promise rejects. */
  readonly onError?: ((error: unknown) => void) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['user', 'leaseMs', 'onMissed', 'onError'])

/** @throws SpaceError INVALID_ARGUMENT, SPACE_UNREACHABLE */
export async function notifyEnds(
  space: Space,
  listener: EndListener,
  owner: string | undefined,
  options: NotifyEndOptions,
): Promise<Registration> {
  onlyKnown('notify', options, OPTIONS)
  const { leaseMs = Number.POSITIVE_INFINITY, onMissed, onError } = options
  if (typeof listener !== 'function') throw new SpaceError('INVALID_ARGUMENT', 'listener is a function.')
  checkedLease(leaseMs)
  const inbox = new Inbox(
    ([event]) => {
      const { id, body } = event!.stored
      const { owner: user, reason } = endedOf(body)
      return listener({ id, user: user || undefined, reason })
    },
    { ...(onMissed ? { onMissed } : {}), ...(onError ? { onError } : {}) },
    () => {},
  )
  const template = {
    kind: SESSION,
    root: SESSION,
    indexed: owner === undefined ? [] : [ownerToken(owner)],
    verified: [],
  }
  const interest: Interest = {
    templates: [template],
    on: 'ended',
    leaseMs,
    onEvent: (stored, sequence) => inbox.push(stored, sequence),
    onMissed: (count, sequence) => inbox.missed(count, sequence),
    onEnded: () => inbox.ended(),
  }
  const asking = monotonicMs()
  return new Registration(space.engine, await space.engine.notify(interest), leaseMs, asking)
}
