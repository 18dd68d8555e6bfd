/** An engine that only reads: it joins no presence, its user may be one who may only read, and a lost connection is replaced. */
import { monotonicMs } from '../../clock.js'
import type { Changes } from '../../engine/changes.js'
import type { SessionEntries } from '../../engine/sessions.js'
import type { Engine, Find, Health } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { withDeadline } from '../../runtime/deadline.js'
import { openView, type ReadingEngine, type View } from './view.js'

const CONNECT_MS = 5_000
/** The time for one question, with the connection if it needs a new one. */
const ANSWER_MS = 10_000

const refuse = async (): Promise<never> => {
  throw new SpaceError('REDIS_REFUSED', 'This space was opened to be read only; the call would write into it.')
}

const refusing = <K extends string>(...names: K[]): Readonly<Record<K, typeof refuse>> =>
  Object.fromEntries(names.map((name) => [name, refuse])) as Record<K, typeof refuse>

/** What an engine does and an observer may not. */
const REFUSED = {
  ...refusing('write', 'takeMany', 'renew', 'cancel', 'renewTransaction', 'commit', 'abort', 'notify', 'request'),
  ...refusing('withdraw', 'offer', 'start', 'beginStreaming', 'releaseSlot', 'complete', 'release', 'declareDead'),
  ...refusing('suspend', 'post', 'hear', 'offered', 'repair'),
}
const SESSIONS: SessionEntries = refusing('load', 'reload', 'save', 'touch', 'destroy', 'release', 'count', 'list')
const CHANGES: Changes = refusing('change', 'find', 'cancel', 'clear')
const TICKETS = refusing('open', 'settle', 'recordProgress', 'reportProgress', 'leave')

/**
 * Opens an engine that reads: calls that change the space reject with REDIS_REFUSED.
 * @throws SpaceError as openView
 */
export async function openObserver(url: string, name: string): Promise<Engine> {
  const view = new LastingView(url, name)
  const ask: LastingView['ask'] = (question) => view.ask(question)
  const { durability } = await ask(async (reading) => reading)
  return {
    ...REFUSED,
    durability,
    server: url,
    presence: '',
    isCertain: false,
    // Each question may connect again.
    isReachable: true,
    sessions: SESSIONS,
    changes: CHANGES,
    tickets: {
      ...TICKETS,
      look: (id) => ask(({ tickets }) => tickets.look(id)),
      settled: (after) => ask(({ tickets }) => tickets.settled(after)),
    },
    transactions: { list: (most) => ask(({ transactions }) => transactions.list(most)), expire: refuse },
    begin: () => {
      throw new SpaceError('REDIS_REFUSED', 'This space was opened to be read only; it has no transactions.')
    },
    awaitIndefinitely: () => {},
    find: async (find) => (isLook(find) ? ask(async (reading) => (await first(reading, find)) ?? null) : refuse()),
    // Entries that cannot be read stay where they are.
    deadLetter: async () => false,
    list: (template, after, most) => ask((reading) => reading.list(template, after, most)),
    count: (template) => ask((reading) => reading.count(template)),
    plan: (template) => ask((reading) => reading.plan(template)),
    backlog: (template) => ask((reading) => reading.backlog(template)),
    kinds: () => ask((reading) => reading.kinds()),
    health: async () => view.health(),
    close: async () => view.close(),
  }
}

/** Returns whether a find neither takes nor waits, and moves no entry to the dead letters. */
const isLook = ({ take, waitMs, tx, conforms }: Find): boolean => !take && waitMs === 0 && tx === undefined && !conforms

const first = async (reading: ReadingEngine, { template }: Find) => (await reading.list(template, null, 1)).entries[0]

/** A view that is opened again after a question has failed: the primary may be another one by then. */
class LastingView {
  readonly #url: string
  readonly #name: string
  #view: Promise<View> | undefined
  #opened = 0
  #answeredAt = monotonicMs()
  #isClosed = false

  constructor(url: string, name: string) {
    this.#url = url
    this.#name = name
  }

  async ask<T>(question: (reading: ReadingEngine) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new SpaceError('SPACE_CLOSED')
    this.#view ??= this.#open()
    const view = this.#view
    const late = () => new SpaceError('SPACE_UNREACHABLE', `No answer within ${ANSWER_MS} ms.`)
    try {
      const answer = await withDeadline(
        view.then(({ engine }) => question(engine)),
        { timeoutMs: ANSWER_MS, late },
      )
      this.#answeredAt = monotonicMs()
      return answer
    } catch (error) {
      if (this.#view === view) this.#view = undefined
      closeOf(view)
      throw error
    }
  }

  health(): Health {
    return {
      connected: this.#view !== undefined,
      answeredMsAgo: monotonicMs() - this.#answeredAt,
      full: false,
      damaged: 0,
      unusable: false,
      queued: 0,
      reconnects: this.#opened - 1,
      gaps: 0,
    }
  }

  close(): void {
    this.#isClosed = true
    if (this.#view) closeOf(this.#view)
    this.#view = undefined
  }

  #open(): Promise<View> {
    this.#opened++
    return openView(this.#url, this.#name, CONNECT_MS)
  }
}

const closeOf = (view: Promise<View>): void =>
  void view.then(
    ({ close }) => close(),
    () => {},
  )
