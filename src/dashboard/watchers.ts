/** Watchers: the browsers that are sent each sample as server-sent events (HTML, "Server-sent events"). */
import { monotonicMs } from '../clock.js'
import { Refused } from './refusal.js'

const MOST_WATCHERS = 100
/** A watcher with more bytes unread misses samples, and then gets everything anew. */
const MOST_UNREAD = 1 << 20
const LASTS_MS = 60_000
/** The browser opens a stream again after this time. */
const RETRY = new TextEncoder().encode('retry: 250\n\n')

interface Watcher {
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  /** It has missed a sample, or had none. */
  isStale: boolean
  /** Then the stream ends; the browser opens it again, and is asked again who it is. */
  readonly endsAt: number
}

export class Watchers {
  readonly #watchers = new Set<Watcher>()
  /** Returns all that is known, for a watcher that comes or has missed something. */
  readonly #whole: () => object
  readonly #lastsMs: number

  /** @param lastsMs the longest life of a stream, so of the rights with which it was opened */
  constructor(whole: () => object, lastsMs = LASTS_MS) {
    this.#whole = whole
    this.#lastsMs = lastsMs
  }

  get size(): number {
    return this.#watchers.size
  }

  /** @throws Refused 503 */
  open(signal: AbortSignal): Response {
    if (this.#watchers.size >= MOST_WATCHERS) {
      throw new Refused(503, 'watchers', `${MOST_WATCHERS} browsers watch already.`)
    }
    let watcher: Watcher | undefined
    const leave = (): void => void (watcher && this.#watchers.delete(watcher))
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          watcher = { controller, isStale: true, endsAt: monotonicMs() + this.#lastsMs }
          controller.enqueue(RETRY)
          this.#watchers.add(watcher)
          this.#tell(watcher, () => undefined)
        },
        cancel: leave,
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MOST_UNREAD }),
    )
    if (signal.aborted) leave()
    const headers = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' }
    return new Response(stream, { headers })
  }

  /** Sends what has changed to all; it is made into bytes once. */
  tell(changes: object): void {
    if (this.#watchers.size === 0) return
    const bytes = eventOf(changes)
    for (const watcher of this.#watchers) this.#tell(watcher, () => bytes)
  }

  closeAll(): void {
    for (const watcher of this.#watchers) {
      try {
        watcher.controller.close()
      } catch {}
    }
    this.#watchers.clear()
  }

  #tell(watcher: Watcher, changes: () => Uint8Array | undefined): void {
    const { controller } = watcher
    try {
      if (monotonicMs() >= watcher.endsAt) {
        this.#watchers.delete(watcher)
        controller.close()
      } else if ((controller.desiredSize ?? 0) <= 0) watcher.isStale = true
      else if (watcher.isStale) {
        controller.enqueue(eventOf(this.#whole()))
        watcher.isStale = false
      } else {
        const bytes = changes()
        if (bytes) controller.enqueue(bytes)
      }
    } catch {
      // The browser has gone meanwhile.
      this.#watchers.delete(watcher)
    }
  }
}

const encoder = new TextEncoder()

const eventOf = (data: object): Uint8Array => encoder.encode(`data: ${JSON.stringify(data)}\n\n`)
