/**
 * Changes in place, finds by id and clearing. A change is one call that finds the entry, and replaces its contents if they
 * are those from which the new contents were made; else the call returns the entry, and new contents are made of that.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Change, Changes, EncodedContents, FindById } from '../../engine/changes.js'
import type { EncodedTemplate, Stored } from '../../engine.js'
import { signatureOf } from '../../entry/signature.js'
import type { Finds } from './find.js'
import type { Keys } from './keys.js'
import { KnownEntries, type KnownEntry } from './known-entries.js'
import { FIND, REPLY, SHARED } from './protocol.js'
import { contentsArguments, packedTemplate } from './record.js'
import type { Transactions } from './transaction.js'
import { foundIn } from './waiting-find.js'
import { type AskOptions, ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import type { Arguments, OperationName } from './wire/operation.js'
import type { Writes } from './write.js'

/**
 * Attempts that may be in vain before a process waits for a random time and reads the entry anew. Without pauses each change
 * of an entry that n processes change at the same time would cost n calls.
 */
const LOST_AT_ONCE = 1
const LONGEST_PAUSE_MS = 64

/** Contents to be stored, and the entry that they are made of. */
interface Made {
  readonly known: KnownEntry
  readonly contents: EncodedContents
}

/** Nothing is expected: the call only reads. */
const LOOK = { id: '', expected: '', head: '', stored: '', body: '' }

export class ChangesOnRedis implements Changes {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #writes: Writes
  readonly #transactions: Transactions
  readonly #finds: Finds
  readonly #known = new KnownEntries()

  constructor(batches: Batches, bodies: Bodies, keys: Keys, writes: Writes, transactions: Transactions, finds: Finds) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#writes = writes
    this.#transactions = transactions
    this.#finds = finds
  }

  /** Changes of this process with one target wait for each other: at the same time all but one would be in vain. */
  change(change: Change): Promise<Stored | null> {
    const { target, tx } = change
    const name = typeof target === 'string' ? target : `\t${packedTemplate(target)}`
    return tx === undefined ? this.#known.inTurn(name, () => this.#change(change, name)) : this.#change(change, name)
  }

  async find(find: FindById): Promise<Stored | null> {
    const { id, take, tx = '' } = find
    const named = { mode: take ? FIND.take : FIND.read, id, transaction: tx }
    for (;;) {
      // A take under a transaction is not acknowledged, see Finds.
      const reply = await this.#ask(tx, 'findById', named, { repeatable: !(take && tx) })
      if (reply.kind === REPLY.none) return null
      if (reply.kind !== REPLY.found) continue
      const { claim, parsed } = foundIn(reply)
      const stored = await this.#finds.acceptance.accept(find, claim, parsed)
      if (stored) return stored
    }
  }

  async cancel(id: string): Promise<boolean> {
    const { kind } = await ask(this.#batches, 'cancelFree', { id }, { repeatable: false, redoable: true })
    return kind === REPLY.done
  }

  async clear(template: EncodedTemplate): Promise<number> {
    let count = 0
    for (let after: Buffer = Buffer.alloc(0); ; ) {
      const named = { after, template: packedTemplate(template) }
      const { values } = await ask(this.#batches, 'clear', named, { repeatable: false, redoable: true })
      const [text] = values as [Buffer]
      const blank = text.indexOf(' ')
      count += Number(text.toString('latin1', 0, blank))
      // A place in the order of a field is bytes.
      after = text.subarray(blank + 1)
      if (after.length === 0) return count
    }
  }

  async #change(change: Change, name: string): Promise<Stored | null> {
    const { signal, tx } = change
    let made = tx === undefined ? await this.#guessed(change, name) : undefined
    for (let lost = 0; ; ) {
      signal?.throwIfAborted()
      const reply = await this.#send(change, made)
      if (reply.kind === REPLY.text) return this.#changed(change, name, made!, reply)
      if (made) this.#dropBody(made)
      if (reply.kind === REPLY.failed) throw this.#writes.noted(reply.values[0]!)
      if (reply.kind === REPLY.none) return null
      if (made && ++lost > LOST_AT_ONCE) {
        made = undefined
        await pause(Math.random() * Math.min(4 * 2 ** lost, LONGEST_PAUSE_MS))
        continue
      }
      made = undefined
      if (reply.kind !== REPLY.found) continue
      const { parsed } = foundIn(reply)
      const stored = await this.#finds.acceptance.accept(change, '', parsed)
      if (!stored) continue
      const known = { stored, signature: parsed.signature, isByReference: parsed.byReference }
      if (tx === undefined) this.#known.met(name, known)
      const contents = await change.contents(stored)
      if (!contents) return null
      made = await this.#store({ known, contents })
    }
  }

  /** Returns contents that are made of the entry that this target had last; undefined if it is to be read first. */
  async #guessed(change: Change, name: string): Promise<Stowed | undefined> {
    const known = this.#known.expected(name, typeof change.target === 'string')
    const contents = known && (await contentsOf(change, known.stored))
    return contents && this.#store({ known, contents })
  }

  /** Searches on while the bound on candidates is met. */
  async #send({ target, tx = '' }: Change, made: Stowed | undefined): Promise<Reply> {
    const isTemplate = typeof target !== 'string'
    const template = isTemplate ? packedTemplate(target) : ''
    const more = made ? argumentsOf(made) : isTemplate ? LOOK : { ...LOOK, id: target }
    if (made) this.#writes.announce([made.contents])
    // A change that may have run would be made of its own result.
    const options = made ? { repeatable: false, redoable: true } : { repeatable: true }
    for (let after: Buffer | string = ''; ; ) {
      const reply: Reply = await this.#ask(tx, 'change', { after, transaction: tx, template, ...more }, options)
      if (reply.kind === REPLY.more) after = reply.values[0]!
      else if (reply.kind === REPLY.askAgain) after = ''
      else return reply
    }
  }

  #changed({ tx }: Change, name: string, { known, contents, ...rest }: Stowed, { values, now }: Reply): Stored {
    const ends = values[0]!.toString('latin1')
    const remainingMs = ends === SHARED.never ? Number.POSITIVE_INFINITY : Number(ends) - now
    const stored = { ...known.stored, kinds: contents.kinds, body: contents.body, remainingMs }
    if (tx !== undefined) this.#finds.lookAgain(tx)
    else this.#known.changed(name, { stored, signature: signatureOf(contents), isByReference: rest.stored !== '' })
    return stored
  }

  /** Stores a large body under a name of its own: the call that replaces the contents moves it to its place. */
  async #store(made: Made): Promise<Stowed> {
    const { known, contents } = made
    if (!known.isByReference && !Bodies.isLarge(contents.body)) return { ...made, stored: '' }
    const stored = `${known.stored.id}:${randomBytes(9).toString('base64url')}`
    await this.#bodies.put(this.#keys.body(stored), contents.body)
    return { ...made, stored }
  }

  #dropBody({ stored }: Stowed): void {
    if (stored !== '') this.#bodies.drop(this.#keys.body(stored))
  }

  #ask<N extends OperationName>(tx: string, name: N, named: Arguments<N>, options: AskOptions): Promise<Reply> {
    return tx ? this.#transactions.ask(tx, name, named, options) : ask(this.#batches, name, named, options)
  }
}

interface Stowed extends Made {
  /** The name of the large body; '' without one. */
  readonly stored: string
}

function argumentsOf({ known, contents, stored }: Stowed) {
  return {
    id: known.stored.id,
    expected: known.signature,
    stored,
    ...contentsArguments(contents, stored !== ''),
  }
}

/** A refusal may be of what the entry was before: the entry is read again then. */
async function contentsOf({ conforms, contents }: Change, stored: Stored): Promise<EncodedContents | undefined> {
  try {
    return (await conforms(stored)) ? ((await contents(stored)) ?? undefined) : undefined
  } catch {
    return undefined
  }
}
