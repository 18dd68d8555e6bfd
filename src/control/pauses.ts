/** Pauses: which services and tasks are paused. They stand in the space; each change is announced to all processes. */
import { wallMs } from '../clock.js'
import { SpaceError } from '../errors.js'
import type { Registration } from '../space/notify.js'
import type { Space } from '../space.js'
import { Pause, PauseChange, type PauseFields } from './kinds.js'

/** A process that has missed the announcement has looked by itself by then. */
const ANNOUNCED_MS = 60_000
const MOST_PAUSES = 1_000
const LONGEST_NAME = 255

export interface PauseOptions {
  /** Gateways answer requests for the service with 503 at once. Default: requests wait until their deadline. */
  readonly refuses?: boolean
  readonly by: string
}

/**
 * Pauses a service or a task: workers take no more of its requests, and finish what they hold.
 *
 * @returns false if it was paused before; then `refuses` is changed
 * @throws SpaceError INVALID_ARGUMENT, as space.write
 */
export async function pauseWork(
  space: Space,
  what: PauseFields['what'],
  name: string,
  { refuses = false, by }: PauseOptions,
): Promise<boolean> {
  if (name === '' || name.length > LONGEST_NAME) throw new SpaceError('INVALID_ARGUMENT', 'Name a service or a task.')
  const known = await pausesIn(space)
  if (known.length >= MOST_PAUSES) throw new SpaceError('INVALID_ARGUMENT', `${MOST_PAUSES} pauses stand already.`)
  const before = await space.transact(async (tx) => {
    const former = await space.takeIfExists(Pause.template({ what, name }), { tx, waitMs: 1_000 })
    const since = former?.since ?? wallMs()
    await space.write(Pause({ what, name, refuses, by, since }), { tx, leaseMs: Number.POSITIVE_INFINITY })
    return former
  })
  await announce(space, name)
  return before === null
}

/** Ends a pause. @returns false if there was none */
export async function resumeWork(space: Space, what: PauseFields['what'], name: string): Promise<boolean> {
  const taken = await space.takeIfExists(Pause.template({ what, name }), { waitMs: 1_000 })
  if (taken) await announce(space, name)
  return taken !== null
}

/** Returns all pauses. */
export async function pausesIn(space: Space): Promise<PauseFields[]> {
  const pauses: PauseFields[] = []
  for await (const each of space.contents(Pause, { max: MOST_PAUSES })) pauses.push(each)
  return pauses
}

async function announce(space: Space, name: string): Promise<void> {
  await space.write(PauseChange({ name }), { leaseMs: ANNOUNCED_MS })
}

/** The pauses as a process knows them: it looks at them at the start, at each announcement, and when it is told to. */
export class KnownPauses {
  readonly #space: Space
  readonly #onChange: (pauses: readonly PauseFields[]) => void
  #registration: Promise<Registration | undefined> | undefined
  #looking: Promise<void> | undefined
  #isStale = false
  #known = ''

  constructor(space: Space, onChange: (pauses: readonly PauseFields[]) => void) {
    this.#space = space
    this.#onChange = onChange
  }

  /** Resolves when the pauses are known, or cannot be. */
  async start(): Promise<void> {
    this.#register()
    await this.#registration
    await this.look()
  }

  /** Looks at them again. Calls during a look are one more look. */
  look(): Promise<void> {
    this.#isStale = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async stop(): Promise<void> {
    const registration = this.#registration
    this.#registration = undefined
    await (await registration)?.cancel().catch(() => {})
  }

  #register(): void {
    const again = (): void => void this.look()
    const terms = { leaseMs: Number.POSITIVE_INFINITY, onMissed: again, onEnded: () => void this.#lost() }
    this.#registration = this.#space.notify([PauseChange], again, terms).catch(() => undefined)
  }

  /** The space has lost the registration. */
  #lost(): void {
    if (!this.#registration) return
    this.#register()
    void this.look()
  }

  async #look(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false
      try {
        const pauses = await pausesIn(this.#space)
        const known = JSON.stringify(pauses)
        if (known === this.#known) continue
        this.#known = known
        this.#onChange(pauses)
      } catch {
        // The space is away: the next look tells.
      }
    }
  }
}
