/** Uploads under way: during a stop, one without progress is ended, so that the stop does not wait for its deadline. */
import { monotonicMs } from '../src/clock.js'
import { BODY_TOO_SLOW, type Refusal } from './refusals.js'

/** How long an upload may make no progress during a stop. */
export const STALLED_MS = 5_000
const LOOK_MS = 500

/** A request body of which more is to come. */
export interface Receiving {
  /** Received so far. */
  readonly bytes: number
  /** True while the client, not the worker, is waited for. */
  readonly isStalled: boolean
  fail(reason: Refusal): void
}

interface Progress {
  readonly bytes: number
  readonly at: number
}

export class Uploads {
  readonly #open = new Set<Receiving>()

  add(upload: Receiving): void {
    this.#open.add(upload)
  }

  delete(upload: Receiving): void {
    this.#open.delete(upload)
  }

  /** Refuses uploads that stall from now on with BODY_TOO_SLOW. Returns a function that ends this. */
  refuseStalled(): () => void {
    const progress = new Map<Receiving, Progress>()
    const look = (): void => {
      const at = monotonicMs()
      for (const upload of this.#open) {
        const { bytes, isStalled } = upload
        const last = progress.get(upload)
        if (!last || !isStalled || bytes !== last.bytes) progress.set(upload, { bytes, at })
        else if (at - last.at >= STALLED_MS) upload.fail(BODY_TOO_SLOW)
      }
    }
    look()
    const timer = setInterval(look, LOOK_MS).unref()
    return () => clearInterval(timer)
  }
}
