/** Failure reports of a supervisor to the space: a process is dead, or does not answer. */
import { monotonicMs } from '../../clock.js'
import { isSpaceError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Space } from '../../space.js'

/** A death is told again for so long while the space is away: then the lease of the dead process is over. */
const REPEATED_MS = 30_000

export class FailureReports {
  readonly #opening: Promise<Space>
  readonly #logger: Logger
  /** Pending reports. */
  readonly #telling = new Set<Promise<boolean>>()
  #isEnding = false

  /** `opening`: processes have a presence to report of only when their space is open. */
  constructor(opening: Promise<Space>, logger: Logger) {
    this.#opening = opening
    this.#logger = logger
  }

  dead(presence: string): void {
    const until = monotonicMs() + REPEATED_MS
    const declare = (space: Space): Promise<void> =>
      space.declareDead(presence).catch((error) => {
        const isAway = isSpaceError(error, 'SPACE_UNREACHABLE') && monotonicMs() < until && !this.#isEnding
        return isAway ? declare(space) : Promise.reject(error)
      })
    void this.#tell(declare, presence, 'the space could not be told of a death')
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
    this.#isEnding = true
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
