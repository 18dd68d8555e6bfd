/** What the three probes of Kubernetes ask: does it live, has it started, may it be given traffic. */
import { monotonicMs } from '../clock.js'
import type { Health } from '../engine.js'

/** Where a gateway or a worker is on its way. */
export type Phase = 'starting' | 'up' | 'draining'

/** Each by name: `ok`, or what is wrong. */
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

/** A space that has not answered for so long counts as away: with the second for which a quiet process asks it, that makes three. */
const ANSWERED_WITHIN_MS = 2_000
/** An event loop that keeps what is due waiting for so long is no good to a request. */
const TURNED_WITHIN_MS = 1_000

export const probesOf = (
  phase: () => Phase,
  health: () => Promise<Health>,
  serving: () => boolean,
  conditions: () => Checks = () => ({}),
): Probes => ({
  // That it answers is the check: an event loop that is blocked does not.
  live: () => verdict({ loop: 'ok' }),
  started: () => verdict({ started: phase() === 'starting' ? 'not yet' : 'ok' }),
  async ready() {
    const lateMs = await loopTurned()
    const { connected, answeredMsAgo, full, evicts } = await health()
    const silent = answeredMsAgo > ANSWERED_WITHIN_MS
    return verdict({
      phase: phase() === 'up' ? 'ok' : phase(),
      loop: lateMs > TURNED_WITHIN_MS ? `the event loop took ${Math.round(lateMs)} ms to turn` : 'ok',
      space: !connected ? 'not connected' : silent ? `no answer for ${Math.round(answeredMsAgo)} ms` : 'ok',
      writes: full ? 'the space is full' : 'ok',
      policy: evicts ? `the server may evict entries: its maxmemory-policy is ${evicts}` : 'ok',
      serving: serving() ? 'ok' : 'not serving',
      ...conditions(),
    })
  },
})

/** Takes one turn of the event loop, which is what everything else here waits for, too. */
async function loopTurned(): Promise<number> {
  const asked = monotonicMs()
  await new Promise(setImmediate)
  return monotonicMs() - asked
}

const verdict = (checks: Checks): ProbeResult => ({
  ok: Object.values(checks).every((check) => check === 'ok'),
  checks,
})
