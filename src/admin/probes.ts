/** The three probes of Kubernetes: live, started, ready. */
import { monotonicMs } from '../clock.js'
import type { Health } from '../engine.js'

/** The phase of a gateway or worker. */
export type Phase = 'starting' | 'up' | 'draining'

/** By name: `ok`, or the problem. */
export type Checks = Readonly<Record<string, string>>

export interface ProbeResult {
  readonly ok: boolean
  readonly checks: Checks
}

export interface Probes {
  live(): ProbeResult
  started(): ProbeResult
  ready(): Promise<ProbeResult>
}

/**
 * A space without a reply for this long counts as away; a quiet process asks it every second, so it takes up to three.
 * Not at once: when Redis restarts, requests wait and are served, while a load balancer that was told by all gateways
 * would refuse them.
 */
const ANSWERED_WITHIN_MS = 2_000
/** A longer delay of the event loop makes the process not ready. */
const TURNED_WITHIN_MS = 1_000

export const probesOf = (
  phase: () => Phase,
  health: () => Promise<Health>,
  serving: () => boolean,
  conditions: () => Checks = () => ({}),
): Probes => ({
  // The answer itself is the check: a blocked event loop gives none.
  live: () => verdict({ loop: 'ok' }),
  started: () => verdict({ started: phase() === 'starting' ? 'not yet' : 'ok' }),
  async ready() {
    const lateMs = await loopTurned()
    const { connected, answeredMsAgo, full, unusable, evicts } = await health()
    const silent = answeredMsAgo > ANSWERED_WITHIN_MS
    return verdict({
      phase: phase() === 'up' ? 'ok' : phase(),
      loop: lateMs > TURNED_WITHIN_MS ? `the event loop took ${Math.round(lateMs)} ms to turn` : 'ok',
      space: !silent ? 'ok' : connected ? `no answer for ${Math.round(answeredMsAgo)} ms` : 'not connected',
      data: unusable ? 'a key holds what takespace did not write: run takespace doctor --repair' : 'ok',
      writes: full ? 'the space is full' : 'ok',
      policy: evicts ? `the server may evict entries: its maxmemory-policy is ${evicts}` : 'ok',
      serving: serving() ? 'ok' : 'not serving',
      ...conditions(),
    })
  },
})

/** Returns how long one turn of the event loop takes. */
async function loopTurned(): Promise<number> {
  const asked = monotonicMs()
  await new Promise(setImmediate)
  return monotonicMs() - asked
}

const verdict = (checks: Checks): ProbeResult => ({
  ok: Object.values(checks).every((check) => check === 'ok'),
  checks,
})
