/** The one sampler of a dashboard: asks the space for its state in one call, each second while somebody watches, else every 5 s. */
import { monotonicMs, wallMs } from '../clock.js'
import { Pause, type PauseFields } from '../control/kinds.js'
import { type SpaceState, servicesNamed, stateFrom, tellOwn } from '../control/state.js'
import { type StoreState, storeOf } from '../control/store.js'
import { decodeFields } from '../entry/codec.js'
import { ALL_DEAD_LETTERS } from '../entry/dead-letter.js'
import { templateOf } from '../entry/template.js'
import { SpaceError } from '../errors.js'
import { backlogOf } from '../request.js'
import { withDeadline } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { History } from './history.js'
import { ProcessView } from './process-view.js'

const WATCHED_MS = 1_000
const UNWATCHED_MS = 5_000
const ANSWER_MS = 2_000
/** Time between two looks at the memory of the server. */
const STORE_MS = 5_000
/** More pauses than these are not shown. */
const MOST_PAUSES = 100
/** Services beyond this number are asked for in turn: each takes two questions, and a call has at most 32. */
const MOST_ASKED = 30

/** How the space answers the dashboard. */
export interface LinkState {
  readonly ok: boolean
  /** When it last answered: ms since 1970; 0 = never. */
  readonly answeredAt: number
  /** Looks without an answer since then. */
  readonly failures: number
  /** Of the last of these; '' after an answer. */
  readonly error: string
}

export class Sampler {
  readonly processes: ProcessView
  readonly history = new History()
  readonly #space: Space
  readonly #isWatched: () => boolean
  readonly #onSample: () => void
  readonly #looking: NodeJS.Timeout
  #state: SpaceState | undefined
  #link: LinkState = { ok: false, answeredAt: 0, failures: 0, error: '' }
  #sampling: Promise<void> | undefined
  #sampledAt = Number.NEGATIVE_INFINITY
  #asked = 0
  #storeAt = 0

  constructor(space: Space, isWatched: () => boolean, onSample: () => void) {
    this.#space = space
    this.#isWatched = isWatched
    this.#onSample = onSample
    this.processes = new ProcessView(space)
    this.#looking = setInterval(() => this.#lookIfDue(), WATCHED_MS).unref()
  }

  get link(): LinkState {
    return this.#link
  }

  /** The last state; undefined before the first answer of the space. */
  get last(): SpaceState | undefined {
    return this.#state
  }

  /** Returns a state that is at most a second old. @throws SpaceError SPACE_UNREACHABLE */
  async state(): Promise<SpaceState> {
    if (monotonicMs() - this.#sampledAt >= WATCHED_MS || !this.#state) await this.#sample()
    if (!this.#link.ok || !this.#state) throw new SpaceError('SPACE_UNREACHABLE', this.#link.error)
    return this.#state
  }

  async stop(): Promise<void> {
    clearInterval(this.#looking)
    await this.#sampling
    await this.processes.stop()
  }

  #lookIfDue(): void {
    // A timer may fire a little early.
    const dueMs = (this.#isWatched() ? WATCHED_MS : UNWATCHED_MS) - WATCHED_MS / 2
    if (monotonicMs() - this.#sampledAt >= dueMs) void this.#sample()
  }

  #sample(): Promise<void> {
    this.#sampling ??= this.#ask().finally(() => {
      this.#sampling = undefined
    })
    return this.#sampling
  }

  async #ask(): Promise<void> {
    this.#sampledAt = monotonicMs()
    try {
      if (!this.#space.engine.isReachable) throw new SpaceError('SPACE_UNREACHABLE')
      const late = () => new SpaceError('SPACE_UNREACHABLE', `No answer within ${ANSWER_MS} ms.`)
      const isFirst = this.#state === undefined
      this.#state = await withDeadline(this.#fresh(), { timeoutMs: ANSWER_MS, late })
      // The first look tells which services there are.
      if (isFirst) this.#state = await withDeadline(this.#fresh(), { timeoutMs: ANSWER_MS, late })
      this.#link = { ok: true, answeredAt: wallMs(), failures: 0, error: '' }
      this.history.add(this.#state)
    } catch (error) {
      const { answeredAt, failures } = this.#link
      this.#link = { ok: false, answeredAt, failures: failures + 1, error: (error as Error).message }
    }
    this.#onSample()
  }

  /** All questions of one turn travel as one call. The processes and pauses that decide what is asked are those of the last look. */
  async #fresh(): Promise<SpaceState> {
    const { engine } = this.#space
    tellOwn(this.#space)
    const known = servicesNamed(this.processes.all, this.#state?.pauses ?? [])
    const first = known.length > MOST_ASKED ? this.#asked % known.length : 0
    this.#asked += MOST_ASKED
    const names = [...known.slice(first), ...known.slice(0, first)].slice(0, MOST_ASKED)
    const [, { entries }, { count: deadLetters }, store, ...found] = await Promise.all([
      this.processes.look(),
      engine.list(templateOf(Pause).encoded, null, MOST_PAUSES),
      engine.backlog(ALL_DEAD_LETTERS),
      this.#store(),
      ...names.map(async (name) => [name, await backlogOf(this.#space, name)] as const),
    ])
    const pauses = entries.map(({ body }) => decodeFields(body) as PauseFields)
    const processes = this.processes.all
    const nothing = { count: 0, oldestMs: 0 }
    const before = new Map(
      this.#state?.services.map(({ name, waiting, oldestMs }) => [name, { count: waiting, oldestMs }]),
    )
    const fresh = new Map(found)
    const all = servicesNamed(processes, pauses)
    const backlogs = new Map(all.map((name) => [name, fresh.get(name) ?? before.get(name) ?? nothing]))
    return stateFrom(this.#space, { processes, pauses, deadLetters, store, backlogs })
  }

  /** INFO is a call of its own: it is asked more rarely. */
  async #store(): Promise<StoreState | null> {
    const known = this.#state?.store
    if (known && monotonicMs() - this.#storeAt < STORE_MS) return known
    this.#storeAt = monotonicMs()
    return storeOf(this.#space)
  }
}
