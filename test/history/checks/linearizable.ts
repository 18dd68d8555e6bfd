/**
 * Each entry by itself is linearizable: it is absent, then there, then gone. Its state only moves on, so no search is needed: there is an
 * order of its operations if and only if no two of them are the wrong way round in real time.
 */
import type { Entries, EntryLife } from '../entries.js'
import { type Facts, told } from './index.js'

/** The space counts leases in whole milliseconds, on a clock of its own. */
const TOLERANCE_US = 20_000

export function linearizable({ entries }: Facts): string[] {
  return [...entries.lives.values()].flatMap((life) => [...wrongWith(life, entries)])
}

function* wrongWith(life: EntryLife, entries: Entries): Generator<string> {
  const { value, earliest, met, ends, written, renewals } = life
  const before = met.find(({ returned }) => returned < earliest)
  if (before) yield `${value} was met before it was written: ${told(before)}, ${told(written)}`
  const [end] = ends
  const after = end && met.find((operation) => operation.op !== end.op && operation.invoked > end.returned)
  if (after) yield `${value} was met after it was gone: ${told(end)}, then ${told(after)}`
  const over = leaseOver(life) + TOLERANCE_US
  const dead = met.find(({ invoked }) => invoked > over)
  if (dead) yield `${value} was met after its lease had ended at ${over}: ${told(dead)}`
  for (const renewal of renewals) {
    if (renewal.out === 'refused' && renewal.invoked > life.latest && renewal.returned < thereUntil(life, entries)) {
      yield `${value} was there throughout, and its renewal was refused: ${told(renewal)}`
    }
  }
}

/** When its lease must have ended: no renewal of ours shortens. Infinity if a write or renewal is unclear. */
function leaseOver({ written, leaseMs, renewals }: EntryLife): number {
  const granted = renewals.filter(({ out }) => out === 'ok' || out === 'unknown')
  return Math.max(
    written.returned + leaseMs * 1000,
    ...granted.map(({ returned, leaseMs: ms }) => returned + ms! * 1000),
  )
}

/**
 * Until when it was certainly there, free or held, if it ever was: it was met then; or its lease ran, and nothing had begun that may have
 * ended it.
 */
export function thereUntil(life: EntryLife, { unknownTakes }: Entries): number {
  const { met, ends, mayEnd, written, leaseMs, renewals, group } = life
  const leased = Math.max(
    written.invoked + leaseMs * 1000,
    ...renewals.filter(({ out }) => out === 'ok').map(({ invoked, leaseMs: ms }) => invoked + ms! * 1000),
  )
  const unknown = unknownTakes.filter((take) => take.group === group && take.returned >= life.earliest)
  const ended = Math.min(...[...ends, ...mayEnd, ...unknown].map(({ invoked }) => invoked))
  return Math.max(...met.map(({ invoked }) => invoked), Math.min(leased - TOLERANCE_US, ended))
}
