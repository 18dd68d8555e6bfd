/** Damage that this process has found in the space: counted, and logged once a minute at most. */
import { monotonicMs } from '../../clock.js'
import type { Logger } from '../../log.js'

const LOGGED_EVERY_MS = 60_000

export class Damage {
  readonly #logger: Logger
  #loggedAt = Number.NEGATIVE_INFINITY
  /** Records, bodies and messages. */
  count = 0

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** `name`: the id of the entry, or what it is. */
  found(name: string): void {
    this.#note('damaged data in the space was set aside; see takespace dead', { id: name.slice(0, LONGEST_NAME) })
  }

  /** A message that is no push, or ends in its middle. */
  malformed(): void {
    this.#note('a malformed message on the channel of this process was dropped')
  }

  #note(message: string, fields: object = {}): void {
    this.count++
    if (monotonicMs() - this.#loggedAt < LOGGED_EVERY_MS) return
    this.#loggedAt = monotonicMs()
    this.#logger.warn({ ...fields, found: this.count }, message)
  }
}

const LONGEST_NAME = 100
