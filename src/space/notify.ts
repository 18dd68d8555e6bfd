/**
 * Registration: a listener for entries, and the delivery of its events (JavaSpaces notify, JavaSpace05 availability
 * events). Sequence numbers rise by one from that of the registration: without a gap, nothing was missed.
 */
import { monotonicMs } from '../clock.js'
import type { Engine, Interest, Registered, Stored, Transition } from '../engine.js'
import { entryOf, Nonconforming } from '../entry/nonconforming.js'
import { type Template, templateOf } from '../entry/template.js'
import { AnyEntry, type Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { checkedLease, Lease } from './lease.js'
import type { Transaction } from './transaction.js'
import { DEFAULT_LEASE_MS } from './write.js'

export interface SpaceEvent<F extends object = Record<string, unknown>> {
  /** The entry as it was then. */
  readonly entry: Entry<F>
  /** One more than that of the previous event. */
  readonly sequence: number
}

/** Called for one event after the other; if it returns a promise, the next event waits for it. */
export type Listener<F extends object> = (event: SpaceEvent<F>) => unknown

export interface NotifyOptions {
  /**
   * `written` (default): an entry was written; `visible`: an entry can be read that could not; `available`: an entry
   * can be taken that could not, which includes one that is put back; `changed`: an entry was changed in place and
   * matches. One that matches only since it was changed is `visible` and `available`, too.
   */
  readonly on?: Transition | undefined
  /**
   * Lease of the registration, in ms. Default 24 h; Infinity = as long as this process. 0 is refused except for `written`
   * (JavaSpace05: registerForAvailabilityEvent).
   */
  readonly leaseMs?: number | undefined
  /** Reports writes under this transaction too, at once; the registration ends with the transaction. */
  readonly tx?: Transaction | undefined
  /**
   * Called when events were lost (a connection was cut, or the listener was 10 000 events behind), with their number
   * and the number of the last.
   */
  readonly onMissed?: ((count: number, sequence: number) => void) | undefined
  /** Called when the listener throws, or its promise rejects. Default: the space's logger. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** True ends the registration when the listener throws. Default false. */
  readonly cancelOnError?: boolean | undefined
  /** Called when the registration has ended: its lease or its transaction has, or the space has lost it. */
  readonly onEnded?: (() => void) | undefined
}

/** Maximum number of events that wait for a slow listener; further ones are missed. */
const MOST_WAITING = 10_000

export class Registration {
  readonly lease: Lease
  /** The sequence number before the first event. */
  readonly sequence: number

  /** @internal Use space.notify. */
  constructor(engine: Engine, registered: Registered, leaseMs: number, asked: number) {
    this.lease = new Lease(engine, registered.id, registered, leaseMs, asked)
    this.sequence = registered.sequence
  }

  /** Ends the registration. Events on their way may still arrive. Does nothing if it has ended. */
  async cancel(): Promise<void> {
    await this.lease.cancel().catch((error) => {
      if (error.code !== 'LEASE_UNKNOWN') throw error
    })
  }
}

const OPTIONS: ReadonlySet<string> = new Set([
  ...['on', 'leaseMs', 'tx', 'onMissed', 'onError', 'cancelOnError', 'onEnded'],
])
const TRANSITIONS: ReadonlySet<string> = new Set<Transition>(['written', 'visible', 'available', 'changed'])

/** Registers a listener. @throws SpaceError as space.notify */
export async function register<F extends object>(
  engine: Engine,
  asked: readonly Template<object>[],
  listener: Listener<F>,
  options: NotifyOptions,
  logger: Logger,
): Promise<Registration> {
  onlyKnown('notify', options, OPTIONS)
  const { on = 'written', leaseMs = DEFAULT_LEASE_MS, tx } = options
  const [only] = asked
  if (!only) throw new SpaceError('INVALID_ARGUMENT', 'notify wants at least one template.')
  if (typeof listener !== 'function') throw new SpaceError('INVALID_ARGUMENT', 'listener is a function.')
  if (!TRANSITIONS.has(on))
    throw new SpaceError('INVALID_ARGUMENT', `on must be one of ${[...TRANSITIONS].join(', ')}.`)
  if (checkedLease(leaseMs) === 0 && on !== 'written') {
    throw new SpaceError('INVALID_ARGUMENT', `leaseMs is more than 0 for ${on}.`)
  }
  // Several kinds have no common schema.
  const { definition } = asked.length === 1 ? only : templateOf(AnyEntry)
  const tell = async (stored: Stored, sequence: number): Promise<void> => {
    const entry = await entryOf(stored, definition)
    if (!(entry instanceof Nonconforming)) await listener({ entry: entry as Entry<F>, sequence })
  }
  let registration: Registration | undefined
  const cancel = (): void => void registration?.cancel().catch(() => {})
  const onError = (error: unknown): void => logger.error({ err: error }, 'a listener failed')
  const inbox = new Inbox(tell, { ...options, onError: options.onError ?? onError }, cancel)
  const interest: Interest = {
    templates: asked.map(({ encoded }) => encoded),
    on,
    leaseMs,
    tx: tx?.id,
    onEvent: (stored, sequence) => inbox.push(stored, sequence),
    onMissed: (count, sequence) => inbox.missed(count, sequence),
    onEnded: () => inbox.ended(),
  }
  const asking = monotonicMs()
  tx?.watch()
  const registered = await (tx ? tx.find(undefined, () => engine.notify(interest)) : engine.notify(interest))
  registration = new Registration(engine, registered, leaseMs, asking)
  if (inbox.isOver) cancel()
  return registration
}

/** The events of one listener, in order; a slow listener delays no other. */
export class Inbox {
  readonly #listen: (stored: Stored, sequence: number) => unknown
  readonly #options: NotifyOptions
  readonly #onCancel: () => void
  #waiting: { stored: Stored; sequence: number }[] = []
  #busy = false
  #missed = 0
  #lastMissed = 0
  #ended = false

  constructor(listen: (stored: Stored, sequence: number) => unknown, options: NotifyOptions, onCancel: () => void) {
    this.#listen = listen
    this.#options = options
    this.#onCancel = onCancel
  }

  /** True if the registration was cancelled because the listener failed. */
  get isOver(): boolean {
    return this.#ended
  }

  push(stored: Stored, sequence: number): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#missed++
      this.#lastMissed = sequence
      return
    }
    this.#tellMissed()
    this.#waiting.push({ stored, sequence })
    if (!this.#busy) void this.#run()
  }

  missed(count: number, sequence: number): void {
    this.#guarded(() => this.#options.onMissed?.(count, sequence))
  }

  ended(): void {
    this.#guarded(() => this.#options.onEnded?.())
  }

  async #run(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0 && !this.#ended) {
      const batch = this.#waiting
      this.#waiting = []
      for (const { stored, sequence } of batch) {
        if (this.#ended) break
        try {
          await this.#listen(stored, sequence)
        } catch (error) {
          this.#failed(error)
        }
      }
      // There may be no later event that would report the missed ones.
      this.#tellMissed()
    }
    this.#busy = false
  }

  #tellMissed(): void {
    const missed = this.#missed
    this.#missed = 0
    if (missed > 0) this.missed(missed, this.#lastMissed)
  }

  #failed(error: unknown): void {
    this.#guarded(() => this.#options.onError?.(error))
    if (!this.#options.cancelOnError) return
    this.#ended = true
    this.#onCancel()
  }

  /** Errors of the user's callbacks are dropped. */
  #guarded(call: () => void): void {
    try {
      call()
    } catch {}
  }
}
