/** Failure reports of a supervisor to the space: a process is dead, or does not answer. */
import type { Logger } from '../../log.js'
import type { Space } from '../../space.js'

export class FailureReports {
  readonly #space: Space
  readonly #logger: Logger
  /** Pending reports. */
  readonly #telling = new Set<Promise<boolean>>()

  constructor(space: Space, logger: Logger) {
    this.#space = space
    this.#logger = logger
  }

  dead(presence: string): void {
    void this.#tell(this.#space.declareDead(presence), presence, 'the space could not be told of a death')
  }

  /** `running` holds the ids of its requests, if known. Resolves with whether the space was told. */
  unresponsive(presence: string, running: readonly string[] | undefined): Promise<boolean> {
    return this.#tell(
      this.#space.suspend(presence, running),
      presence,
      'the space could not be told of a process that does not answer',
    )
  }

  /** Resolves when all reports were delivered or have failed. */
  async delivered(): Promise<void> {
    await Promise.all(this.#telling)
  }

  #tell(said: Promise<void>, presence: string, failure: string): Promise<boolean> {
    const told = said
      .then(
        () => true,
        (error) => {
          this.#logger.warn({ err: error, presence }, failure)
          return false
        },
      )
      .finally(() => this.#telling.delete(told))
    this.#telling.add(told)
    return told
  }
}
