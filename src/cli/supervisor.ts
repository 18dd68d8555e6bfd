/** Keeps a number of worker processes running: one that dies or is stuck is reported to the space and replaced; one that is worn, before it ends. */
import type { Child, State } from './supervisor/child.js'
import { BEAT_MS } from './supervisor/ipc.js'
import { CLOSING_MS, type Reason, type SlotTerms, WorkerSlot } from './supervisor/worker-slot.js'

export interface SupervisorTerms extends SlotTerms {
  readonly processes: number
}

export class Supervisor {
  readonly slots: readonly WorkerSlot[]
  /** How many processes were replaced, by why. */
  readonly replaced: Readonly<Record<Reason, number>>
  readonly #terms: SupervisorTerms
  readonly #looking: NodeJS.Timeout
  #stopping = false
  #started = false
  #onReady: () => void = () => {}
  #onFailure: (error: Error) => void = () => {}
  #onEmpty: () => void = () => {}

  constructor(terms: SupervisorTerms) {
    const supervisor = this
    const replaced = { exit: 0, blocked: 0, requests: 0, memory: 0, overrun: 0 }
    const owner = {
      get started() {
        return supervisor.#started
      },
      get stopping() {
        return supervisor.#stopping
      },
      get replacing() {
        return supervisor.slots.some(({ replacing }) => replacing)
      },
      onReady: () => this.#checkReady(),
      onGone: () => this.#checkEmpty(),
      onFailure: (error: Error) => this.#onFailure(error),
      onReplaced: (reason: Reason) => void replaced[reason]++,
    }
    this.#terms = terms
    this.replaced = replaced
    this.slots = Array.from({ length: terms.processes }, (_, number) => new WorkerSlot(number, terms, owner))
    this.#looking = setInterval(() => {
      for (const slot of this.slots) slot.look()
    }, BEAT_MS)
  }

  /** How many processes are in that state. */
  count(state: State): number {
    return this.#children().filter((child) => child.state === state).length
  }

  /** Resolves when all are ready. Rejects when one dies before: what cannot start once will not start by being tried again. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve
      this.#onFailure = reject
    })
    for (const slot of this.slots) slot.fill()
    await ready
    this.#started = true
  }

  /** Has all of them drain, and kills those that don't within their bound. */
  async stop(): Promise<void> {
    this.#stopping = true
    // A start under way ends too; that its processes are gone is then no failure.
    this.#onReady()
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    for (const slot of this.slots) slot.stop()
    const bound = setTimeout(() => this.killAll(), this.#terms.stopTimeoutMs + CLOSING_MS)
    this.#checkEmpty()
    await empty
    clearTimeout(bound)
    clearInterval(this.#looking)
    await this.#terms.failureReports.delivered()
  }

  killAll(): void {
    for (const child of this.#children()) child.kill('SIGKILL')
  }

  #children(): Child[] {
    return this.slots.flatMap(({ children }) => children)
  }

  #checkReady(): void {
    if (this.slots.every(({ child }) => child?.readyAt !== undefined)) this.#onReady()
  }

  #checkEmpty(): void {
    if (this.#children().length === 0) this.#onEmpty()
  }
}
