/** The requests of a history: what was asked, every claim under which it was handed out, and what its gateway heard. */
import { type Event, groupBy, type History, type Operation } from './history.js'

export interface ClaimLife {
  readonly claim: string
  readonly value: string
  readonly p: string
  readonly deliveredAt: number
  readonly attempt: number
  /** On the space's own clock, ms. */
  readonly grantedAt: number
  /** start, complete, release. */
  readonly operations: readonly Operation[]
  /** When its handler began, each time. */
  readonly executions: readonly Event[]
}

export interface RequestLife {
  readonly value: string
  readonly asked: Operation
  readonly repeatable: boolean
  /** As they were delivered. */
  readonly claims: readonly ClaimLife[]
  readonly outcomes: readonly Event[]
  readonly timedOut: Event | undefined
}

export interface Requests {
  readonly lives: ReadonlyMap<string, RequestLife>
  /** Deliveries of what nobody asked for. */
  readonly invented: readonly Event[]
}

export function requestsOf({ operations, events }: History): Requests {
  const underClaim = groupBy(operations, ({ claim }) => claim)
  const executions = groupBy(
    events.filter(({ what }) => what === 'execute'),
    ({ claim }) => claim,
  )
  const deliveries = events.filter(({ what }) => what === 'deliver')
  const claims = groupBy(
    deliveries.map(
      ({ claim, value, p, at, attempt, grantedAt }): ClaimLife => ({
        claim: claim!,
        value: value!,
        p,
        deliveredAt: at,
        attempt: attempt!,
        grantedAt: grantedAt!,
        operations: underClaim.get(claim!) ?? [],
        executions: executions.get(claim!) ?? [],
      }),
    ),
    ({ value }) => value,
  )
  const outcomes = groupBy(
    events.filter(({ what }) => what === 'outcome'),
    ({ value }) => value,
  )
  const timeouts = new Map(events.filter(({ what }) => what === 'timeout').map((event) => [event.value!, event]))
  const lives = new Map<string, RequestLife>()
  for (const asked of operations) {
    if (asked.what !== 'request') continue
    const value = asked.values![0]!
    lives.set(value, {
      value,
      asked,
      repeatable: asked.repeatable!,
      claims: claims.get(value) ?? [],
      outcomes: outcomes.get(value) ?? [],
      timedOut: timeouts.get(value),
    })
  }
  return { lives, invented: deliveries.filter(({ value }) => !lives.has(value!)) }
}
