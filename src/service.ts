/** The one protocol of everything that starts and stops: both are idempotent, and whoever calls during a change waits for it. */

export abstract class Service {
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  /** Called once; a failed start may be tried again. */
  protected abstract onStart(): Promise<void>
  /** Called once, after a start; must end within its own bound. */
  protected abstract onStop(): Promise<void>

  /** Resolves when it runs. A second call returns the first one's promise; after stop() it is an error of the caller. */
  start(): Promise<void> {
    this.#starting ??= this.onStart().catch((error) => {
      this.#starting = undefined
      throw error
    })
    return this.#starting
  }

  /** Resolves when it has stopped. Stopping what never started does nothing. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopOnce()
    return this.#stopping
  }

  async #stopOnce(): Promise<void> {
    if (!this.#starting) return
    await this.#starting.catch(() => {})
    if (this.#starting) await this.onStop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
