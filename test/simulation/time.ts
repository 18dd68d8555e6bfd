/** Time that passes only when nothing is left to do: timers fire in their order, at once, and every run of a seed is the same. */

interface Timer {
  readonly at: number
  /** Of two that are due at the same moment, the one that was set first. */
  readonly order: number
  readonly call: () => void
  cancelled: boolean
}

/** What Node's timers answer, as far as anybody here asks. */
interface Handle {
  readonly timer: Timer
  ref(): Handle
  unref(): Handle
  [Symbol.toPrimitive](): number
}

const REAL = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, performance, now: Date.now }

/** Promises, ticks and the streams that stand on them are done after a few turns of the real event loop. */
const TURNS = 3

export class VirtualTime {
  #now = 0
  #order = 0
  #timers: Timer[] = []
  readonly #wall = 1_800_000_000_000

  get now(): number {
    return this.#now
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.filter(({ cancelled }) => !cancelled).length
  }

  /** From here on, everything in this program lives in this time. */
  install(): void {
    const set = (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Handle =>
      this.after(Math.max(Number(ms) || 0, 1), () => call(...args))
    const clear = (handle: Handle | undefined): void => {
      if (handle?.timer) handle.timer.cancelled = true
    }
    const every = (call: () => void, ms: number): Handle => {
      const again = (): void => {
        call()
        if (!handle.timer.cancelled) Object.assign(handle, { timer: this.after(ms, again).timer })
      }
      const handle = this.after(ms, again)
      return handle
    }
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear, setInterval: every, clearInterval: clear })
    Object.assign(globalThis, { performance: { now: () => this.#now } })
    Date.now = () => this.#wall + Math.floor(this.#now)
  }

  restore(): void {
    const { now, ...globals } = REAL
    Object.assign(globalThis, globals)
    Date.now = now
  }

  after(ms: number, call: () => void): Handle {
    const timer: Timer = { at: this.#now + ms, order: this.#order++, call, cancelled: false }
    this.#timers.push(timer)
    const handle: Handle = {
      timer,
      ref: () => handle,
      unref: () => handle,
      [Symbol.toPrimitive]: () => timer.order,
    }
    return handle
  }

  /** Lets it pass until then. */
  async run(until: number): Promise<void> {
    await settled()
    for (;;) {
      const next = this.#next()
      if (!next || next.at > until) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#now = Math.max(this.#now, next.at)
      next.call()
      await settled()
    }
    this.#now = until
  }

  #next(): Timer | undefined {
    this.#timers = this.#timers.filter(({ cancelled }) => !cancelled)
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    }
    return first
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await new Promise<void>((resolve) => REAL.setImmediate(resolve))
}
