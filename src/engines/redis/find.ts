/** Reads and takes: at once, or by standing in line until the entry is handed over. */
import type { Find, Pattern, Stored } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { Wait } from '../../wait.js'
import { type Answer, ask } from './ask.js'
import type { Batches } from './batches.js'
import type { Bodies } from './bodies.js'
import type { Keys } from './keys.js'
import { type Parsed, parseRecord } from './record.js'

/** A template as readSpec of find.lua wants it. */
export const specOf = ({ kind, root, indexed, verified }: Pattern): string[] => [
  kind,
  root,
  String(indexed.length),
  ...indexed,
  String(verified.length),
  ...verified,
]

/** How long the space may take to confirm that a wait has ended before it is ended without. */
const CONFIRM_MS = 1_000

interface Call {
  readonly wid: string
  readonly find: Find
  readonly wait: Wait<Stored | null>
  /** The space has it in line. */
  registered: boolean
  /** An entry is in hand and being acknowledged: the end of the wait comes too late. */
  accepting: boolean
}

export class Finds {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #calls = new Map<string, Call>()
  /** Plain takes between the claim and its acknowledgement. */
  readonly #accepting = new Set<string>()
  #wids = 0

  constructor(batches: Batches, bodies: Bodies, keys: Keys) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  find(find: Find): Promise<Stored | null> {
    return find.waitMs > 0 ? this.#inLine(find) : this.#once(find)
  }

  /** An entry handed to a waiting take. */
  delivered(wid: string, claim: string, record: Buffer, now: number): void {
    const call = this.#calls.get(wid)
    if (!call || call.wait.settled || call.accepting) return this.#giveBack(claim)
    void this.#accept(call, claim, parseRecord(idOf(claim), record, now))
  }

  /** An entry shown to a waiting read. */
  shown(wid: string, id: string, record: Buffer, now: number): void {
    const call = this.#calls.get(wid)
    if (call && !call.wait.settled) void this.#show(call, parseRecord(id, record, now))
  }

  claims(): Iterable<string> {
    return this.#accepting
  }

  askAnew(): void {
    for (const call of this.#calls.values()) {
      call.registered = false
      if (!call.wait.settled && !call.accepting) void this.#register(call)
    }
  }

  close(): void {
    for (const call of this.#calls.values()) call.wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  async #once(find: Find): Promise<Stored | null> {
    for (;;) {
      const answer = await this.#search(find, '')
      if (answer.letter !== 'f') return null
      const { claim, parsed } = foundIn(answer)
      const stored = find.take ? await this.#acknowledge(claim, parsed) : await this.#complete(parsed)
      if (stored) return stored
      if (!find.take) await this.#setAside(parsed.id)
    }
  }

  /** Goes on as long as the bound on candidates is met. */
  async #search(find: Find, wid: string): Promise<Answer> {
    const mode = find.take ? 't' : 'r'
    const spec = specOf(find.pattern)
    const options = { repeatable: true, standing: wid !== '' }
    let args = ['f', mode, wid, ...spec]
    for (;;) {
      const answer = await ask(this.#batches, args, options)
      if (answer.letter === 'm') args = ['g', mode, wid, answer.values[0]!.toString('latin1'), ...spec]
      else if (answer.letter === 'a') args = ['f', mode, wid, ...spec]
      else return answer
    }
  }

  #inLine(find: Find): Promise<Stored | null> {
    const wid = `${find.take ? 't' : 'r'}${(++this.#wids).toString(36)}`
    const call: Call = { wid, find, wait: new Wait(), registered: false, accepting: false }
    this.#calls.set(wid, call)
    const { waitMs, signal } = find
    call.wait.until(
      waitMs,
      () => this.#end(call, () => call.wait.resolve(null)),
      signal,
      () => this.#end(call, () => call.wait.reject(signal?.reason)),
    )
    void this.#register(call)
    return call.wait.promise.finally(() => this.#calls.delete(wid))
  }

  async #register(call: Call): Promise<void> {
    try {
      const answer = await this.#search(call.find, call.wid)
      if (answer.letter === 'w') {
        call.registered = true
        if (call.wait.settled) this.#leave(call)
        return
      }
      const { claim, parsed } = foundIn(answer)
      if (call.wait.settled || call.accepting) return call.find.take ? this.#giveBack(claim) : undefined
      await (call.find.take ? this.#accept(call, claim, parsed) : this.#show(call, parsed))
    } catch (error) {
      // Without a link it asks anew when there is one; only what no link can mend ends the wait.
      if (!(error instanceof SpaceError) || !error.retryable) call.wait.reject(error)
    }
  }

  async #accept(call: Call, claim: string, parsed: Parsed): Promise<void> {
    call.accepting = true
    try {
      const stored = await this.#acknowledge(claim, parsed)
      if (stored) return call.wait.resolve(stored)
      call.accepting = false
      void this.#register(call)
    } catch (error) {
      call.wait.reject(error)
    }
  }

  async #show(call: Call, parsed: Parsed): Promise<void> {
    try {
      const stored = await this.#complete(parsed)
      if (stored) return call.wait.resolve(stored)
      await this.#setAside(parsed.id)
      void this.#register(call)
    } catch (error) {
      call.wait.reject(error)
    }
  }

  /** Makes a take final. null: the claim was lost meanwhile, the entry is another's. */
  async #acknowledge(claim: string, parsed: Parsed): Promise<Stored | null> {
    this.#accepting.add(claim)
    try {
      // Without its body there is nothing to be had of it; then the take of it is final, and goes on with the next one.
      const stored = await this.#complete(parsed)
      // Not repeatable: asked a second time, the space could not tell a take that it has made final from a claim that was lost.
      const { letter } = await ask(this.#batches, ['a', claim], { repeatable: false })
      return letter === 'k' ? stored : null
    } finally {
      this.#accepting.delete(claim)
    }
  }

  /** Its body has gone, with it or without: in the first case this does nothing, in the second nobody could ever read it. */
  async #setAside(id: string): Promise<void> {
    await ask(this.#batches, ['x', id], { repeatable: true })
  }

  /** With its body, wherever that stands. null: that is not there any longer. */
  async #complete(parsed: Parsed): Promise<Stored | null> {
    if (!parsed.byReference) return parsed
    const body = await this.#bodies.get(this.#keys.body(parsed.id))
    return body && { ...parsed, body }
  }

  /** The wait is over; but if its hand-off is under way, the entry wins, and is not lost. */
  #end(call: Call, settle: () => void): void {
    if (call.accepting) return
    if (!call.registered) return settle()
    const bound = setTimeout(settle, CONFIRM_MS)
    ask(this.#batches, ['u', call.wid], { repeatable: true }).then(
      () => {
        clearTimeout(bound)
        if (!call.accepting) settle()
      },
      () => {
        clearTimeout(bound)
        settle()
      },
    )
  }

  #leave(call: Call): void {
    ask(this.#batches, ['u', call.wid], { repeatable: true }).catch(() => {
      // Without a link the space forgets the wait by itself.
    })
  }

  #giveBack(claim: string): void {
    ask(this.#batches, ['r', claim, ''], { repeatable: true }).catch(() => {
      // Without a link it is given back by the next sync.
    })
  }
}

export const idOf = (claim: string): string => claim.slice(0, claim.indexOf(':'))

function foundIn({ values, now }: Answer): { claim: string; parsed: Parsed } {
  const [id, claim, record] = values
  return { claim: claim!.toString('latin1'), parsed: parseRecord(id!.toString('latin1'), record!, now) }
}
