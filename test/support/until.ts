/** Waits for a condition; the tests' only way to wait for what sends no signal. */
import { setTimeout as pause } from 'node:timers/promises'

/** Reached only by what will never be: no test's judgement of how long something takes. */
export const MOST_MS = 60_000

const STEP_MS = 5
/** Of a wait that has lasted: looking costs the processes that it waits for. */
const LONGEST_STEP_MS = 20

/** Resolves as soon as the condition holds. One that throws does not hold yet; its last error is the cause of ours. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = MOST_MS,
): Promise<void> {
  const begun = performance.now()
  const end = begun + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      if (await condition()) return
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= end) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`, { cause })
    await pause(Math.min(STEP_MS + (performance.now() - begun) / 50, LONGEST_STEP_MS))
  }
}
