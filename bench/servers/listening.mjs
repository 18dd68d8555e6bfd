/** Waits until a server answers rightly, for as long as a start may take. */
import { setTimeout as pause } from 'node:timers/promises'

const READY_MS = 20_000

/** Resolves when `isRight` accepts the response to a GET. Throws after 20 s. @param isRight (status, text) => boolean */
export async function answered(target, isRight) {
  for (const end = performance.now() + READY_MS; performance.now() < end; await pause(50)) {
    try {
      const response = await fetch(target, { signal: AbortSignal.timeout(2_000) })
      if (isRight(response.status, await response.text())) return
    } catch {
      // Not listening yet.
    }
  }
  throw new Error(`no right answer from ${target} within ${READY_MS} ms`)
}
