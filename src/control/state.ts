/** The state of a space as operators see it: its services, processes and pauses, and what needs somebody. */
import { monotonicMs, wallMs } from '../clock.js'
import { controlOf } from '../control.js'
import type { Backlog } from '../engine.js'
import { ALL_DEAD_LETTERS } from '../entry/dead-letter.js'
import { backlogOf } from '../request.js'
import type { Space } from '../space.js'
import type { PauseFields, ProcessReport, ServedService } from './kinds.js'
import { pausesIn } from './pauses.js'
import { processesIn } from './processes.js'
import type { Need, Rating } from './rating.js'
import { partOf, ratesOf, type ServiceRates } from './served.js'
import { needsOfStore, type StoreState, storeOf } from './store.js'

export interface ServiceState extends ServiceRates {
  readonly name: string
  /** Requests that no worker has taken. */
  readonly waiting: number
  /** Age of the oldest of them, in ms. */
  readonly oldestMs: number
  /** Worker processes that take its requests; drained ones do not count. */
  readonly workers: number
  /** Those of them that could begin a request of it now. */
  readonly withRoom: number
  /** Requests of it that these work on, and their slots: a free slot of several services is divided among them. */
  readonly held: number
  readonly capacity: number
  /** Whether it is paused, and what happens to its requests. */
  readonly paused: 'no' | 'wait' | 'refused'
}

/**
 * The answer of `GET /api/v1/state`. Fields may be added; none changes its meaning or goes before version 2 of the
 * path.
 */
export interface SpaceState {
  readonly version: 1
  /** ms since 1970. */
  readonly at: number
  readonly space: string
  readonly durability: string
  readonly rating: Rating
  /** Worst first. */
  readonly needs: readonly Need[]
  readonly services: readonly ServiceState[]
  readonly processes: readonly ProcessReport[]
  readonly pauses: readonly PauseFields[]
  readonly deadLetters: number
  /** Null in memory, and as long as it is not known. */
  readonly store: StoreState | null
}

/** The parts of a state. */
export interface StateParts {
  readonly processes: readonly ProcessReport[]
  readonly pauses: readonly PauseFields[]
  readonly deadLetters: number
  readonly store: StoreState | null
  /** By the name of each service. */
  readonly backlogs: ReadonlyMap<string, Backlog>
}

/** Returns the state of a space. @throws SpaceError SPACE_UNREACHABLE */
export async function stateOf(space: Space): Promise<SpaceState> {
  tellOwn(space)
  const asked = [processesIn(space), pausesIn(space), space.engine.backlog(ALL_DEAD_LETTERS), storeOf(space)] as const
  const [processes, pauses, { count: deadLetters }, store] = await Promise.all(asked)
  const names = servicesNamed(processes, pauses)
  const backlogs = await Promise.all(names.map(async (name) => [name, await backlogOf(space, name)] as const))
  return stateFrom(space, { processes, pauses, deadLetters, store, backlogs: new Map(backlogs) })
}

/** Returns the services that processes have or that are paused, by name. */
export const servicesNamed = (processes: readonly ProcessReport[], pauses: readonly PauseFields[]): string[] =>
  [...new Set([...processes.flatMap((each) => each.services), ...namesOf('service', pauses)])].sort()

/** Returns the state of a space that was asked for its parts just now. */
export function stateFrom(space: Space, parts: StateParts): SpaceState {
  const { processes, pauses, deadLetters, store, backlogs } = parts
  const services = [...backlogs].map(([name, backlog]) => serviceState(name, backlog, processes, pauses))
  const needs = [...needsOfStore(store), ...needsOf(services, processes, pauses, deadLetters)].sort(worstFirst)
  return {
    version: 1,
    at: wallMs(),
    space: space.name,
    durability: space.durability,
    rating: needs[0]?.rating ?? 'good',
    needs,
    services,
    processes,
    pauses,
    deadLetters,
    store,
  }
}

/** In memory a process tells of itself when it is asked. */
export function tellOwn(space: Space): void {
  if (space.isOfThisProcess) controlOf(space).tell()
}

const namesOf = (what: PauseFields['what'], pauses: readonly PauseFields[]): string[] =>
  pauses.filter((each) => each.what === what).map(({ name }) => name)

function serviceState(
  name: string,
  { count, oldestMs }: Backlog,
  processes: readonly ProcessReport[],
  pauses: readonly PauseFields[],
): ServiceState {
  const workers = processes.filter(
    ({ roles, services, state }) => roles.includes('worker') && services.includes(name) && state === 'running',
  )
  const parts = workers.flatMap((each) => partOf(each, name) ?? [])
  const sum = (of: (each: ServedService) => number): number => parts.reduce((total, each) => total + of(each), 0)
  const paused = pauses.find((each) => each.what === 'service' && each.name === name)
  return {
    name,
    waiting: count,
    oldestMs,
    workers: workers.length,
    withRoom: parts.filter(({ free }) => free > 0).length,
    capacity: sum(({ capacity }) => capacity),
    held: sum(({ held }) => held),
    ...ratesOf(name, processes),
    paused: paused ? (paused.refuses ? 'refused' : 'wait') : 'no',
  }
}

/** Requests that wait longer need more workers, or faster ones. */
const LONG_WAIT_MS = 5_000
/** A longer delay of an event loop is one that requests notice. */
const LONG_LAG_MS = 1_000

function needsOf(
  services: readonly ServiceState[],
  processes: readonly ProcessReport[],
  pauses: readonly PauseFields[],
  deadLetters: number,
): Need[] {
  const needs: Need[] = []
  const add = (rating: Need['rating'], what: string, advice: string): void => void needs.push({ rating, what, advice })
  for (const { name, waiting, workers, oldestMs, paused } of services) {
    if (paused !== 'no') continue
    if (waiting > 0 && workers === 0)
      add('bad', `${waiting} requests for ${name} wait, and no worker takes them`, 'Start a worker.')
    else if (oldestMs > LONG_WAIT_MS)
      add('degraded', `requests for ${name} wait for ${Math.round(oldestMs / 1_000)} s`, 'Start more workers.')
  }
  for (const { what, name, by } of pauses) add('degraded', `the ${what} ${name} is paused by ${by}`, 'takespace resume')
  for (const { host, pid, loopLagMs } of processes)
    if (loopLagMs > LONG_LAG_MS)
      add('degraded', `process ${pid} of ${host} was blocked for ${loopLagMs} ms`, 'Its log has the stack.')
  if (deadLetters > 0) add('degraded', `${deadLetters} dead letters`, 'takespace dead ls')
  return needs
}

const worstFirst = (a: Need, b: Need): number => Number(b.rating === 'bad') - Number(a.rating === 'bad')

/** A state that is asked for more often is the same one. */
const SHARED_MS = 1_000

/** Samples the state of a space at most once a second, whoever asks how often. */
export class StateSampler {
  readonly #space: Space
  #sampled: Promise<SpaceState> | undefined
  #sampledAt = 0

  constructor(space: Space) {
    this.#space = space
  }

  /** @throws SpaceError as stateOf() */
  state(): Promise<SpaceState> {
    const now = monotonicMs()
    if (!this.#sampled || now - this.#sampledAt >= SHARED_MS) {
      this.#sampledAt = now
      this.#sampled = stateOf(this.#space)
    }
    return this.#sampled
  }
}
