/**
 * The control of a process: it tells the space what this process is and does, obeys the orders of operators, and keeps
 * to pauses. One for each space that a process has opened, from the start of its first member to the end of its last.
 */
import { wallMs } from './clock.js'
import { hostName } from './control/host-name.js'
import type {
  PauseFields,
  ProcessReport,
  ProcessState,
  Role,
  RunningRequest,
  ServedService,
  Verb,
} from './control/kinds.js'
import { Orders } from './control/orders.js'
import { KnownPauses } from './control/pauses.js'
import { PresenceEntry } from './control/presence.js'
import { servedByAll } from './control/served.js'
import { SpaceError } from './errors.js'
import { LOG_LEVELS, type Logger } from './log.js'
import { within } from './runtime/deadline.js'
import type { Space } from './space.js'
import { VERSION } from './version.js'

/** A gateway, worker or scheduler of this process. */
export interface Member {
  readonly role: Role
  readonly services: readonly string[]
  readonly tasks: readonly string[]
  readonly logger: Logger
  /** Default: it works on no requests. */
  load?(): MemberLoad
  /** The parts of its services, with numbers of the last `ms`. Default: it tells none. */
  served?(): { readonly ms: number; readonly services: readonly ServedService[] }
  /** The oldest requests that it works on, oldest first. */
  running?(): readonly RunningRequest[]
  /** Takes nothing new; or takes again. Not of what cannot be drained. */
  drain?(drains: boolean): void
  /** Gives back what has not begun. */
  recall?(): Promise<void>
  /** Called with all pauses at the start, and at each change. */
  onPauses?(pauses: readonly PauseFields[]): void
  /** Drains, then ends. */
  stop(): Promise<unknown>
}

export interface MemberLoad {
  /** Requests that it can work on at a time. */
  readonly capacity: number
  readonly held: number
  readonly oldestMs: number
  /** Requests finished since its start, and those of them that failed. Default: not counted. */
  readonly finished?: number
  readonly failed?: number
}

/** The longest wait of a start for what is paused. */
const KNOWN_MS = 1_000
/** How long an end waits for the space, which may be away. */
const FAREWELL_MS = 500
const LONGEST_RELEASE = 100
const LEVELS: ReadonlySet<string> = new Set(LOG_LEVELS)
/** While it drains, its report is renewed as often: an operator waits for the end. */
const DRAINING_MS = 300

export class Control {
  readonly #space: Space
  readonly #members = new Set<Member>()
  readonly #startedAt = wallMs()
  #presence: PresenceEntry | undefined
  #orders: Orders | undefined
  #pauses: KnownPauses | undefined
  #known: readonly PauseFields[] = []
  #drains = false
  readonly #stopping = new Set<Member>()
  #draining: NodeJS.Timeout | undefined
  /** Ends the process, if it can be told to. */
  onStop: (() => unknown) | undefined

  constructor(space: Space) {
    this.#space = space
  }

  /** Adds a member that starts. Resolves when it knows what is paused, or after KNOWN_MS. */
  async join(member: Member): Promise<void> {
    this.#members.add(member)
    if (this.#drains) member.drain?.(true)
    if (this.#presence) {
      member.onPauses?.(this.#known)
      this.#presence.changed()
      return
    }
    this.#presence = new PresenceEntry(this.#space, () => this.#report())
    this.#orders = new Orders(this.#space, (verb, argument, by) => this.#obey(verb, argument, by))
    this.#pauses = new KnownPauses(this.#space, (pauses) => {
      this.#known = pauses
      for (const each of this.#members) each.onPauses?.(pauses)
    })
    this.#presence.start()
    this.#orders.start()
    await within(KNOWN_MS, this.#pauses.start())
  }

  /** The pauses, as far as this process knows. */
  get pauses(): readonly PauseFields[] {
    return this.#known
  }

  /** True after an order to drain. */
  get isDrained(): boolean {
    return this.#drains
  }

  /** Tells of this process anew. */
  tell(): void {
    this.#presence?.changed()
  }

  /** Tells that a member is about to end. */
  stopping(member: Member): void {
    if (!this.#members.has(member)) return
    this.#stopping.add(member)
    this.#presence?.changed()
  }

  /** Removes a member. With the last one the process is not told of any more. */
  async leave(member: Member): Promise<void> {
    if (!this.#members.delete(member)) return
    this.#stopping.delete(member)
    if (this.#members.size > 0) return this.#presence?.changed()
    const ending = [this.#presence?.stop(), this.#pauses?.stop()]
    clearInterval(this.#draining)
    this.#orders?.stop()
    this.#presence = undefined
    this.#orders = undefined
    this.#pauses = undefined
    await within(FAREWELL_MS, Promise.all(ending))
  }

  get #isStopping(): boolean {
    return this.#stopping.size === this.#members.size
  }

  get #held(): number {
    let held = 0
    for (const member of this.#members) held += member.load?.().held ?? 0
    return held
  }

  #stateWith(held: number): ProcessState {
    if (this.#isStopping) return 'stopping'
    if (!this.#drains) return 'running'
    return held > 0 ? 'draining' : 'drained'
  }

  #report(): Omit<ProcessReport, 'loopLagMs' | 'at'> {
    // Pauses are looked at as often, in case an announcement was lost.
    void this.#pauses?.look()
    const members = [...this.#members]
    const loads = members.flatMap((member) => member.load?.() ?? [])
    const served = members.flatMap((member) => member.served?.() ?? [])
    const held = loads.reduce((sum, load) => sum + load.held, 0)
    const all = (of: (member: Member) => readonly string[]): string[] => [...new Set(members.flatMap(of))]
    return {
      process: this.#space.presence,
      host: hostName(),
      pid: process.pid,
      roles: [...new Set(members.map(({ role }) => role))],
      services: all(({ services }) => services),
      tasks: all(({ tasks }) => tasks),
      release: (process.env.TAKESPACE_RELEASE ?? '').slice(0, LONGEST_RELEASE),
      version: VERSION,
      startedAt: this.#startedAt,
      capacity: loads.reduce((sum, { capacity }) => sum + capacity, 0),
      held,
      oldestMs: Math.round(Math.max(0, ...loads.map(({ oldestMs }) => oldestMs))),
      finished: loads.reduce((sum, { finished = 0 }) => sum + finished, 0),
      failed: loads.reduce((sum, { failed = 0 }) => sum + failed, 0),
      served: servedByAll(served.flatMap(({ services }) => services)),
      recentMs: Math.round(Math.max(0, ...served.map(({ ms }) => ms))),
      rssBytes: process.memoryUsage.rss(),
      state: this.#stateWith(held),
      running: members
        .flatMap((member) => member.running?.() ?? [])
        .slice(0, MOST_RUNNING)
        .map(told),
    }
  }

  async #obey(verb: Verb, argument: string, by: string): Promise<void> {
    const [first] = this.#members
    first?.logger.info({ order: verb, argument, by }, 'an operator has given an order')
    if (verb === 'drain' || verb === 'resume') this.#drain(verb === 'drain')
    else if (verb === 'logLevel') this.#logFrom(argument)
    else if (verb === 'recall') await Promise.all(Array.from(this.#members, (member) => member.recall?.()))
    else this.#stop()
  }

  #drain(drains: boolean): void {
    if (this.#isStopping) throw new SpaceError('ORDER_REFUSED', 'The process is stopping.')
    this.#drains = drains
    for (const member of this.#members) member.drain?.(drains)
    this.#presence?.changed()
    clearInterval(this.#draining)
    if (!drains) return
    this.#draining = setInterval(() => {
      this.#presence?.changed()
      if (this.#held === 0) clearInterval(this.#draining)
    }, DRAINING_MS).unref()
  }

  #stop(): void {
    for (const member of this.#members) this.stopping(member)
    const stop = this.onStop ?? (() => Promise.all(Array.from(this.#members, (member) => member.stop())))
    // Its answer goes first.
    setTimeout(() => void stop(), ANSWERED_MS).unref()
  }

  #logFrom(level: string): void {
    if (!LEVELS.has(level)) throw new SpaceError('ORDER_REFUSED', `The level is one of ${[...LEVELS].join(', ')}.`)
    const settable = Array.from(this.#members, ({ logger }) => logger).filter((logger) => 'level' in logger)
    if (settable.length === 0) throw new SpaceError('ORDER_REFUSED', 'The logger of the process has no level.')
    for (const logger of settable) (logger as Logger & { level: string }).level = level
  }
}

/** An entry is small, and tells what has run for long. */
const MOST_RUNNING = 5

const told = ({ ms, ...request }: RunningRequest): RunningRequest => ({ ...request, ms: Math.round(ms) })

/** Time for the answer to an order to stop to be sent. */
const ANSWERED_MS = 50

const controls = new WeakMap<Space, Control>()

/** Returns the control of this process in a space. */
export function controlOf(space: Space): Control {
  let control = controls.get(space)
  if (!control) {
    control = new Control(space)
    controls.set(space, control)
  }
  return control
}
