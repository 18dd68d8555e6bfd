/** Failure reports of a supervisor to the space: a process is dead, or does not answer. */
import type { Logger } from '../../log.js'
import type { Space } from '../../space.js'

export class FailureReports {
  readonly #opening: Promise<Space>
  readonly #logger: Logger
  /** Pending reports. */
  readonly #telling = new Set<Promise<boolean>>()

  /** `opening`: processes have a presence to report of only when their space is open. */
  constructor(opening: Promise<Space>, logger: Logger) {
    this.#opening = opening
    this.#logger = logger
  }

  dead(presence: string): void {
    void this.#tell((space) => space.declareDead(presence), presence, 'the space could not be told of a death')
  }

  /** `running` holds the ids of its requests, if known. Resolves with whether the space was told. */
  unresponsive(presence: string, running: readonly string[] | undefined): Promise<boolean> {
    return this.#tell(
      (space) => space.suspend(presence, running),
      presence,
      'the space could not be told of a process that does not answer',
    )
  }

  /** Resolves when all reports were delivered or have failed. */
  async delivered(): Promise<void> {
    await Promise.all(this.#telling)
  }

  #tell(say: (space: Space) => Promise<void>, presence: string, failure: string): Promise<boolean> {
    const told = this.#opening
      .then(say)
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
