/** The closed loop: so many lanes, each doing the same thing again as soon as it is done, warmed up and then measured. */
import { setTimeout as pause } from 'node:timers/promises'
import { begin, options, tell } from './parent.mjs'

const DRAIN_MS = 5_000
/** More than this many are no accident, and telling them all tells nothing. */
const ENOUGH_ERRORS = 100

/**
 * Sends the parent a measurement each time that it is told to begin; the message may set `inFlight`, `seconds` and `warmUpMs` anew.
 * `once` does the thing and checks its outcome; what it throws is an error of the run. If it returns a number, that many ms count.
 * `rateOf` makes a rate of these and of the seconds measured.
 */
export async function closedLoop(once, rateOf = (took, seconds) => took.length / seconds) {
  for (;;) {
    const terms = { ...options, ...(await begin()) }
    tell('measured', { result: await measured(once, rateOf, terms) })
  }
}

async function measured(once, rateOf, { inFlight, warmUpMs, seconds }) {
  const took = []
  let state = 'warming'
  let errors = 0
  let firstError
  let busy = 0

  const lane = async () => {
    busy++
    while (state !== 'over') {
      const since = performance.now()
      try {
        const counted = await once()
        if (state === 'measuring') took.push(counted ?? performance.now() - since)
      } catch (error) {
        firstError ??= String(error?.message ?? error)
        errors++
        if (errors >= ENOUGH_ERRORS) break
        await new Promise(setImmediate)
      }
    }
    busy--
  }
  const lanes = Promise.all(Array.from({ length: inFlight }, lane))

  await pause(warmUpMs)
  state = 'measuring'
  tell('measuring')
  const since = performance.now()
  await pause(seconds * 1000)
  const elapsed = (performance.now() - since) / 1000
  state = 'over'
  await Promise.race([lanes, pause(DRAIN_MS)])
  if (busy > 0) {
    errors += busy
    firstError ??= `${busy} of ${inFlight} were not answered within ${DRAIN_MS} ms after the end`
  }
  return { perSecond: rateOf(took, elapsed), ...percentiles(took), errors, firstError }
}

/** Of milliseconds. */
export function percentiles(took) {
  const sorted = Float64Array.from(took).sort()
  const at = (share) => sorted[Math.floor(sorted.length * share)] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
