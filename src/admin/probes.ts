/** What the three probes of Kubernetes ask: does it live, has it started, may it be given traffic. */
import type { Health } from '../engine.js'

/** Where a gateway or a worker is on its way. */
export type Phase = 'starting' | 'up' | 'draining'

export interface Verdict {
  readonly ok: boolean
  /** Each by name: `ok`, or what is wrong. */
  readonly checks: Readonly<Record<string, string>>
}

export interface Probes {
  live(): Verdict
  started(): Verdict
  ready(): Promise<Verdict>
}

/** A space that has not answered for so long counts as away. */
const ANSWERED_WITHIN_MS = 3_000

export const probesOf = (phase: () => Phase, health: () => Promise<Health>, serving: () => boolean): Probes => ({
  // That it answers is the check: an event loop that is blocked does not.
  live: () => verdict({ loop: 'ok' }),
  started: () => verdict({ started: phase() === 'starting' ? 'not yet' : 'ok' }),
  async ready() {
    const { connected, answeredMsAgo, full } = await health()
    const silent = answeredMsAgo > ANSWERED_WITHIN_MS
    return verdict({
      phase: phase() === 'up' ? 'ok' : phase(),
      space: !connected ? 'not connected' : silent ? `no answer for ${Math.round(answeredMsAgo)} ms` : 'ok',
      writes: full ? 'the space is full' : 'ok',
      serving: serving() ? 'ok' : 'not serving',
    })
  },
})

const verdict = (checks: Record<string, string>): Verdict => ({
  ok: Object.values(checks).every((check) => check === 'ok'),
  checks,
})
