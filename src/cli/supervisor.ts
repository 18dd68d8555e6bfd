/**
 * Keeps a number of worker or gateway processes running: one that dies or is blocked is reported to the space and replaced; one
 * that is due for recycling is replaced before it ends.
 */
import type { Child, State } from './supervisor/child.js'
import { BEAT_MS } from './supervisor/ipc.js'
import { CLOSING_MS, type Reason, type SlotTerms, WorkerSlot } from './supervisor/worker-slot.js'

export interface SupervisorTerms extends SlotTerms {
  readonly processes: number
}

export class Supervisor {
  readonly slots: readonly WorkerSlot[]
  /** Number of replaced processes, by cause. */
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
    const replaced = { exit: 0, crash: 0, blocked: 0, requests: 0, memory: 0, overrun: 0 }
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

  get role(): SupervisorTerms['role'] {
    return this.#terms.role
  }

  /** Returns the number of processes in a state. */
  count(state: State): number {
    return this.#children().filter((child) => child.state === state).length
  }

  /**
   * Resolves when all processes are ready. Rejects if one dies before: a process that cannot start once is not tried
   * again.
   */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve
      this.#onFailure = reject
    })
    for (const slot of this.slots) slot.fill()
    await ready
    this.#started = true
  }

  /** Drains all processes, and kills those that take too long. */
  async stop(): Promise<void> {
    this.#stopping = true
    // A pending start resolves: the end of its processes is no failure then.
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
