/**
 * Loads of session entries, and saves and renewals with a known base: sent beside the batches. One alone is sent at
 * once; of several, those of one turn of the event loop are sent together.
 */

import type { Keys } from './keys.js'
import { REPLY } from './protocol.js'
import type { KnownChange } from './session-record.js'
import { shareOf, takeShare } from './wire/deal.js'
import type { Level } from './wire/level.js'
import type { Link } from './wire/link.js'

/** notSaved: nothing was changed; unknown: the link was cut before the reply. */
export type SaveResult = 'saved' | 'notSaved' | 'unknown'

interface KnownSave {
  readonly id: string
  readonly change: KnownChange
  readonly lasts: string
  readonly ends: string
}

interface Asked<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
}

/** Most characters in one call, except for a larger single save: Lua copies each character more than once. */
const MOST_CHARACTERS = 256 * 1024
const CALLS = 4
const SMALLEST_SHARE = 16
const SAVED = REPLY.done.charCodeAt(0)

export class SessionsBeside {
  readonly #keys: Keys
  readonly #level: Level
  #link: Link | undefined
  readonly #loads = new AskedTogether<string, Buffer | null>(
    (asked) => this.#load(asked),
    () => 0,
  )
  readonly #saves = new AskedTogether<KnownSave, SaveResult>(
    (asked) => this.#save(asked),
    ({ change }) => change.rest.length,
  )

  constructor(keys: Keys, level: Level) {
    this.#keys = keys
    this.#level = level
  }

  up(link: Link): void {
    this.#link = link
  }

  down(): void {
    this.#link = undefined
  }

  /** Returns the stored bytes; null if there are none, or if they could not be read. */
  load(id: string): Promise<Buffer | null> {
    return this.#loads.ask(id)
  }

  /**
   * @param lasts the earliest acceptable end of the present lease, on the lease clock, 13 digits
   * @param ends the beginning of the new first line, with the end of the new lease
   */
  save(id: string, change: KnownChange, lasts: string, ends: string): Promise<SaveResult> {
    return this.#saves.ask({ id, change, lasts, ends })
  }

  async #load(asked: readonly Asked<string, Buffer | null>[]): Promise<void> {
    const keys = asked.map(({ question }) => this.#keys.session(question))
    const found = await this.#link?.getAll(keys).catch(() => [])
    for (const [i, { resolve }] of asked.entries()) resolve(found?.[i] ?? null)
  }

  async #save(asked: readonly Asked<KnownSave, SaveResult>[]): Promise<void> {
    let letters: Buffer | undefined
    let result: SaveResult = 'notSaved'
    const keys: string[] = []
    const args: string[] = []
    for (const { question } of asked) {
      const { id, lasts, ends, change } = question
      const { base, isWhole, growth, head, rest } = change
      keys.push(this.#keys.session(id))
      args.push(`${lasts}${base}${isWhole ? '.' : '+'}${growth}`)
      if (isWhole) args.push(ends + head + rest)
      else args.push(ends + head, rest)
    }
    try {
      letters = await this.#link?.save(keys, args)
      if (!this.#level.isNone && !(await this.#level.reached())) {
        letters = undefined
        result = 'unknown'
      }
    } catch (error) {
      // An error reply says that the call has not run.
      if ((error as Error).name !== 'ReplyError') result = 'unknown'
    }
    for (const [i, { resolve }] of asked.entries()) resolve(letters?.[i] === SAVED ? 'saved' : result)
  }
}

/** Questions that are asked together. */
class AskedTogether<Question, Answer> {
  readonly #call: (asked: readonly Asked<Question, Answer>[]) => Promise<void>
  readonly #charactersOf: (question: Question) => number
  #asked: Asked<Question, Answer>[] = []
  /** Calls without a reply. */
  #calls = 0

  constructor(
    call: (asked: readonly Asked<Question, Answer>[]) => Promise<void>,
    charactersOf: (question: Question) => number,
  ) {
    this.#call = call
    this.#charactersOf = charactersOf
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((resolve) => {
      this.#asked.push({ question, resolve })
      if (this.#asked.length > 1) return
      // A turn of the event loop costs a lone question more than it saves.
      if (this.#calls === 0) process.nextTick(this.#send)
      else setImmediate(this.#send)
    })
  }

  readonly #send = (): void => {
    const asked = this.#asked
    this.#asked = []
    const most = shareOf(asked.length, CALLS, SMALLEST_SHARE)
    while (asked.length > 0) {
      this.#calls++
      const share = takeShare(asked, most, ({ question }) => this.#charactersOf(question), MOST_CHARACTERS)
      void this.#call(share).finally(() => this.#calls--)
    }
  }
}
