/** Saves of sessions that stand on all that is there: those of one turn of the event loop in one call, beside the batches. */
import type { Link } from './connection.js'
import type { Keys } from './keys.js'
import type { KnownChange } from './session-record.js'

/** saved; not, and nothing was changed; unknown: the link was cut before the answer. */
export type Came = 'saved' | 'not' | 'unknown'

export interface KnownSave extends KnownChange {
  readonly id: string
  /** Until when its lease must last, and when it ends from now on; on the lease clock, 13 digits. */
  readonly lasts: string
  readonly ends: string
}

interface Asked {
  readonly save: KnownSave
  readonly resolve: (came: Came) => void
}

/** In one call, but for a single one that is larger: Lua copies each more than once. */
const MOST_CHARACTERS = 256 * 1024
const SAVED = 'k'.charCodeAt(0)

/**
 * What comes in one turn is dealt out over a few calls: while the server works on one, this process takes up what the one before it has answered
 * (decision 0010).
 */
export const shareOf = (count: number): number => Math.max(Math.ceil(count / CALLS), SMALLEST_SHARE)
const CALLS = 4
const SMALLEST_SHARE = 16

export class SessionSaves {
  readonly #keys: Keys
  #link: Link | undefined
  #asked: Asked[] = []

  constructor(keys: Keys) {
    this.#keys = keys
  }

  up(link: Link): void {
    this.#link = link
  }

  down(): void {
    this.#link = undefined
  }

  save(save: KnownSave): Promise<Came> {
    return new Promise((resolve) => {
      this.#asked.push({ save, resolve })
      if (this.#asked.length === 1) setImmediate(() => this.#send())
    })
  }

  #send(): void {
    const asked = this.#asked
    this.#asked = []
    const share = shareOf(asked.length)
    while (asked.length > 0) {
      let characters = 0
      const full = asked.findIndex(({ save }, i) => {
        characters += save.rest.length
        return i > 0 && (i === share || characters > MOST_CHARACTERS)
      })
      void this.#call(asked.splice(0, full < 0 ? asked.length : full))
    }
  }

  async #call(asked: readonly Asked[]): Promise<void> {
    const link = this.#link
    let letters: Buffer | undefined
    let came: Came = 'not'
    if (link) {
      const keys: string[] = []
      const args: string[] = []
      for (const { save } of asked) {
        keys.push(this.#keys.sessionEntry(save.id))
        args.push(`${save.lasts}${save.base}${save.isWhole ? '.' : '+'}${save.growth}`)
        if (save.isWhole) args.push(save.ends + save.head + save.rest)
        else args.push(save.ends + save.head, save.rest)
      }
      try {
        letters = await link.save(keys, args)
      } catch (error) {
        // An answer that is an error says that it has not run.
        if ((error as Error).name !== 'ReplyError') came = 'unknown'
      }
    }
    for (const [i, { resolve }] of asked.entries()) resolve(letters?.[i] === SAVED ? 'saved' : came)
  }
}
