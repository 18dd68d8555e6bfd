/** Whether the faults of a run hit: a history that no fault has touched proves nothing about faults. */
import type { Event, History, Operation } from './history.js'

export type Hits = Readonly<Record<string, number>>

const count = (events: readonly Event[], asked: Event['what']): number =>
  events.filter(({ what }) => what === asked).length

/** Under way at that moment. */
const spans = ({ invoked, returned }: Operation, at: number): boolean => invoked < at && at < returned

/** For each fault, figures of which none may be zero. */
export const HITS: Readonly<Record<string, (history: History) => Hits>> = {
  kill({ operations, events }) {
    const kills = events.filter(({ what }) => what === 'killed')
    const killedAt = new Map(kills.map(({ p, at }) => [p, at]))
    const done = new Set(
      operations.filter(({ what, out }) => what === 'complete' && out !== 'unknown').map(({ claim }) => claim),
    )
    const held = events.filter(({ what, p, claim }) => what === 'deliver' && killedAt.has(p) && !done.has(claim))
    const cut = operations.filter((operation) => spans(operation, killedAt.get(operation.p) ?? 0))
    return { kills: kills.length, 'claims held by the killed': held.length, 'operations cut off': cut.length }
  },
  freeze({ operations, events }) {
    const stale = operations.filter(({ what, out }) => (what === 'complete' || what === 'start') && out === 'refused')
    return {
      freezes: count(events, 'frozen'),
      disowned: count(events, 'disowned'),
      'stale claims refused': stale.length,
    }
  },
  drop({ operations, events }) {
    const cuts = events.filter(({ what }) => what === 'cut')
    const under = cuts.flatMap(({ p, at }) =>
      operations.filter((operation) => operation.p === p && spans(operation, at)),
    )
    return { cuts: cuts.length, 'operations under way': under.length }
  },
  restart({ operations, events }) {
    const kills = events.filter(({ what }) => what === 'redis-killed')
    const under = kills.flatMap(({ at }) => operations.filter((operation) => spans(operation, at)))
    return { restarts: kills.length, 'operations under way': under.length }
  },
}

/** What did not hit. */
export const missed = (hits: Hits): string[] =>
  Object.entries(hits)
    .filter(([, n]) => n === 0)
    .map(([what]) => `no ${what}: the fault did not hit`)
