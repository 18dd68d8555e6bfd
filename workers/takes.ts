/** Takes: the standing takes of a worker, for its app and for its tasks, as far as they are not drained or paused. */
import type { PauseFields } from '../src/control/kinds.js'
import { type HeldRequest, type Serving, serveRequests } from '../src/request.js'
import type { Space } from '../src/space.js'
import { taskOffer } from '../src/tasks/task-offer.js'
import type { Handler } from './handler.js'

/** The handlers of requests for the app, and of requests for tasks. */
export interface Serves {
  readonly app: Handler | undefined
  readonly tasks: { readonly names: readonly string[]; readonly handle: Handler } | undefined
}

export interface TakesTerms {
  readonly space: Space
  readonly serves: Serves
  readonly services: readonly string[]
  readonly concurrency: number
  begin(held: HeldRequest, handle: Handler): void
}

/** One take: of the app for some services, or of some tasks of one service. */
interface Take {
  readonly services: readonly string[]
  readonly tasks: readonly string[] | undefined
  readonly handle: Handler
}

/**
 * Takes of one kind, of which one stands at a time: they share the slots, so that what a former one has left in hand
 * counts.
 */
interface Lane {
  standing: Serving | undefined
  /** What the standing one takes. */
  takes: string
  /** Former ones that have requests in hand. */
  readonly ended: Set<Serving>
}

export class Takes {
  readonly #terms: TakesTerms
  /** The lane of the app, and that of the tasks of each service. */
  readonly #lanes = new Map<string, Lane>()
  #started = false
  #stopped = false
  #drained = false
  #paused: { readonly services: ReadonlySet<string>; readonly tasks: ReadonlySet<string> } = NONE
  /** Changes come one after the other. */
  #changing: Promise<void> = Promise.resolve()

  constructor(terms: TakesTerms) {
    this.#terms = terms
  }

  /** True while the space has all takes that the worker wants. */
  get standing(): boolean {
    if (!this.#started || this.#stopped || this.#drained) return false
    for (const { standing } of this.#lanes.values()) if (standing?.standing === false) return false
    return true
  }

  async start(): Promise<void> {
    this.#started = true
    await this.#change()
  }

  /** Takes nothing new; or takes again. */
  drain(drains: boolean): Promise<void> {
    this.#drained = drains
    return this.#change()
  }

  /** Takes nothing of what is paused. */
  pause(pauses: readonly PauseFields[]): Promise<void> {
    const names = (what: string): Set<string> => new Set(pauses.filter((each) => each.what === what).map((p) => p.name))
    this.#paused = { services: names('service'), tasks: names('task') }
    return this.#change()
  }

  /** Takes nothing more, for good. When it resolves, no further request will come. */
  stop(): Promise<void> {
    this.#stopped = true
    return this.#change()
  }

  #change(): Promise<void> {
    const changed = this.#changing.then(() => this.#apply())
    this.#changing = changed.catch(() => {})
    return changed
  }

  async #apply(): Promise<void> {
    if (!this.#started) return
    const wanted = this.#wanted()
    const ending = [...this.#lanes].map(([name, lane]) => {
      const take = wanted.get(name)
      return take && lane.takes === namesIn(take) ? undefined : this.#end(lane)
    })
    // What a new take may be handed, the former one no longer is.
    await Promise.all(ending)
    for (const [name, take] of wanted) {
      const lane: Lane = this.#lanes.get(name) ?? { standing: undefined, takes: '', ended: new Set() }
      this.#lanes.set(name, lane)
      if (!lane.standing) await this.#begin(lane, take)
    }
  }

  async #begin(lane: Lane, take: Take): Promise<void> {
    const { space, concurrency, begin } = this.#terms
    const { services, tasks, handle } = take
    const free = (): number => {
      let occupied = 0
      for (const each of lane.ended) occupied += each.occupied
      return Math.max(concurrency - occupied, 0)
    }
    const given = free()
    const onRequest = (held: HeldRequest): void => begin(held, handle)
    const serving = await serveRequests(space, services, given, onRequest, tasks && taskOffer(tasks))
    lane.standing = serving
    lane.takes = namesIn(take)
    for (let owed = free() - given; owed > 0; owed--) void serving.addSlot()
  }

  async #end(lane: Lane): Promise<void> {
    const { standing } = lane
    if (!standing) return
    lane.standing = undefined
    lane.takes = ''
    lane.ended.add(standing)
    await standing.stop(() => {
      if (standing.occupied === 0) lane.ended.delete(standing)
      void lane.standing?.addSlot()
    })
    if (standing.occupied === 0) lane.ended.delete(standing)
  }

  /** Returns what is to be taken, by lane. */
  #wanted(): Map<string, Take> {
    const wanted = new Map<string, Take>()
    if (this.#stopped || this.#drained) return wanted
    const { app, tasks } = this.#terms.serves
    const services = this.#terms.services.filter((service) => !this.#paused.services.has(service))
    if (app && services.length > 0) wanted.set(APP, { services, tasks: undefined, handle: app })
    const names = tasks?.names.filter((name) => !this.#paused.tasks.has(name)) ?? []
    if (!tasks || names.length === 0) return wanted
    for (const service of services)
      wanted.set(`tasks of ${service}`, { services: [service], tasks: names, handle: tasks.handle })
    return wanted
  }
}

const APP = 'app'
const NONE = { services: new Set<string>(), tasks: new Set<string>() }

const namesIn = ({ services, tasks }: Take): string => JSON.stringify([services, tasks])
