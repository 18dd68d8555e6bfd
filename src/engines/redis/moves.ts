/** What a move asks of one partition: its phase, pages of what may be moved, and batches that leave and arrive. */
import { createHash } from 'node:crypto'
import { SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { PHASE, PLACE, RECORD, REPLY, SIGN } from './protocol.js'
import { type AskOptions, ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Bodies } from './wire/bodies.js'
import type { Arguments, OperationName } from './wire/operation.js'
import { readPage } from './wire/push.js'
import type { Argument } from './wire/resp.js'

/** An entry or a session entry as it is stored. */
export interface Movable {
  readonly id: string
  /** Remaining ms of its lease as text; -1: for ever. */
  readonly leaseMs: string
  readonly record: Buffer
  /** The next one must go with it: the request of a ticket. */
  readonly hasNext: boolean
}

/** The phases of a move from a partition and of one to it; 0: there is none (PHASE in protocol.ts). */
export interface Phases {
  readonly from: number
  readonly to: number
}

export interface MovablePage {
  readonly items: readonly Movable[]
  /** 0 after the last page. */
  readonly next: string
}

/** What is in a partition, and on its way there. */
export interface Movables {
  readonly entries: number
  readonly sessions: number
  readonly arriving: number
  /** Transactions of several partitions that are prepared or decided. */
  readonly unfinished: number
}

/** An operation may run again: a batch leaves and arrives once. */
const REPEATABLE: AskOptions = { repeatable: true }
const REFERENCE = PLACE.reference.charCodeAt(0)

export class Moves {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  #run = ''

  constructor(batches: Batches, bodies: Bodies, keys: Keys) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  /**
   * Notes on which run of a server the partition was opened. Refuses a process that has one address of a space that moves:
   * once its presence is there, since a move begins only if every presence knows of it.
   * @throws SpaceError SPACE_MOVES
   */
  async opened(run: string, hasBoth: boolean): Promise<void> {
    this.#run = run
    const phases = await this.learnPhase(0)
    if (!hasBoth) checkMove(phases)
  }

  /** The keys of the partition, and the run of the server on which it was opened. */
  get place(): string {
    return `${this.#run} ${this.#keys.prefix}`
  }

  /** Notes which phase this process follows (0: it knows of no second place), and which new partitions it knows. */
  async learnPhase(followed: number, target = ''): Promise<Phases> {
    const [from = 0, to = 0] = words(await this.#text('learnPhase', { phase: String(followed), target })).map(Number)
    return { from, to }
  }

  /** Sets the phase of the move to here. Returns false if it cannot begin: there are entries. */
  async setOrigin(phase: number): Promise<boolean> {
    return (await this.#ask('setOrigin', { phase: String(phase) })).kind === REPLY.done
  }

  /** Returns the presences that keep the phase from being set; [] if it is set. A later phase stays. */
  async setPhase(phase: number, target = ''): Promise<readonly string[]> {
    return words(await this.#text('setPhase', { phase: String(phase), target }))
  }

  /** Returns the phase of a move to these partitions that each presence follows. */
  async phases(target = ''): Promise<ReadonlyMap<string, number>> {
    const each = words(await this.#text('listPhases', { target })).map((word) => word.split('=') as [string, string])
    return new Map(each.map(([presence, phase]) => [presence, Number(phase)]))
  }

  /** Raises the order of writing, which goes on in steps. Returns where it is. */
  async raiseOrder(atLeast: number, step = 1): Promise<number> {
    return Number(await this.#text('raiseOrder', { atLeast: String(atLeast), step: String(step) }))
  }

  /** Makes the fields known here that decide the partition of kinds. */
  async announceKeys(fields: ReadonlyMap<string, string>): Promise<void> {
    await Promise.all(Array.from(fields, ([kind, field]) => this.#ask('announceKey', { kind, field })))
  }

  /** Returns the field that decides the partition, by kind. */
  async keyedKinds(): Promise<ReadonlyMap<string, string>> {
    const { values } = await this.#ask('keyedKinds', {})
    const lines = values[0]!.toString('utf8').split('\n')
    return new Map(lines.flatMap((kind, i) => (i % 2 === 0 && kind !== '' ? [[kind, lines[i + 1]!]] : [])))
  }

  /** Returns each root kind with what is indexed there, a newline between the two. */
  async indexedKinds(): Promise<readonly string[]> {
    const lines = (await this.#text('indexedKinds', {})).split('\n')
    return lines.flatMap((root, i) => (i % 2 === 0 && root !== '' ? [`${root}\n${lines[i + 1]}`] : []))
  }

  /** Makes root kinds of other partitions known here, as indexedKinds() returns them. */
  async announceRoots(kinds: readonly string[]): Promise<void> {
    for (const kind of kinds) {
      const [root = '', policy = ''] = kind.split('\n')
      const named = { root: Buffer.from(root, 'latin1'), index: Buffer.from(policy.slice(1), 'latin1') }
      if (policy.startsWith('s')) await this.#ask('announceKind', { ...named, index: '*' })
      await this.#ask('announceKind', named)
    }
  }

  async count(): Promise<Movables> {
    const counts = words(await this.#text('countMovable', {})).map(Number)
    const [entries = 0, sessions = 0, arriving = 0, unfinished = 0] = counts
    return { entries, sessions, arriving, unfinished }
  }

  /** Returns a page of what may be moved; `cursor` is 0 at first. */
  async page(what: 'movable' | 'movableSessions', cursor: string): Promise<MovablePage> {
    return pageIn((await this.#ask(what, { cursor })).values)
  }

  /** Returns this entry, and the request that goes with it, if they may be moved. */
  async entry(id: string): Promise<readonly Movable[]> {
    return pageIn((await this.#ask('movableEntry', { id })).values).items
  }

  /** Stores a batch that comes from another partition, with its large bodies. */
  async arrive(batch: string, items: readonly Movable[], from: Moves): Promise<void> {
    for (const { id, record } of items) {
      if (id.startsWith(SIGN.session) || record[RECORD.place.from - 1] !== REFERENCE) continue
      const body = await from.#bodies.get(from.#keys.body(id))
      if (body) await this.#bodies.put(this.#keys.body(id), body)
    }
    const entries: Argument[] = [String(items.length)]
    for (const { id, leaseMs, record } of items) entries.push(leaseMs, id, record)
    await this.#ask('arrive', { batch, entries })
  }

  /** Returns the batches that are on their way here. */
  async arriving(): Promise<readonly string[]> {
    return words(await this.#text('arriving', {}))
  }

  /** Returns the ids that have left in this batch: of these items those that were unchanged, unless it was asked before. */
  async depart(batch: string, items: readonly Movable[]): Promise<readonly string[]> {
    const entries: Argument[] = [String(items.length)]
    for (const { id, record, hasNext } of items) entries.push(digestOf(record), id, hasNext ? '+' : '')
    return words(await this.#text('depart', { batch, entries }))
  }

  async land(batch: string, ids: readonly string[]): Promise<void> {
    await this.#ask('land', { batch, ids: ids.join(' ') })
  }

  async forgetDeparture(batch: string): Promise<void> {
    await this.#ask('forgetDeparture', { batch })
  }

  async #text<N extends OperationName>(name: N, named: Arguments<N>): Promise<string> {
    const { values } = await this.#ask(name, named)
    return values[0]!.toString('latin1')
  }

  async #ask<N extends OperationName>(name: N, named: Arguments<N>) {
    for (;;) {
      const answer = await ask(this.#batches, name, named, REPEATABLE)
      // Only a page whose reply was lost must be requested again.
      if (answer.kind !== REPLY.askAgain) return answer
    }
  }
}

function pageIn([next, items]: readonly Buffer[]): MovablePage {
  const movables: Movable[] = []
  readPage(items!, ({ first: id, second, bytes: record }) => {
    movables.push({ id, leaseMs: second.replace('+', ''), record, hasNext: second.endsWith('+') })
  })
  return { items: movables, next: next!.toString('latin1') }
}

const words = (text: string): string[] => (text === '' ? [] : text.split(' '))

const digestOf = (record: Buffer): string => createHash('sha1').update(record).digest('hex')

/** @throws SpaceError SPACE_MOVES, unless the phases of this partition allow a process that has its address alone */
function checkMove({ from, to }: Phases): void {
  if (from === PHASE.moving) {
    throw new SpaceError('SPACE_MOVES', 'Give its new address, too: nextUrl, --next-url or TAKESPACE_NEXT_URL.')
  }
  if (from === PHASE.moved)
    throw new SpaceError(
      'SPACE_MOVES',
      'It has left these partitions: give the new address. If takespace migrate has not ended, run it again.',
    )
  if (to === PHASE.arriving) {
    throw new SpaceError('SPACE_MOVES', 'It is not all here yet: give the old address as url, this one as nextUrl.')
  }
}
