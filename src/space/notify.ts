/**
 * Registration: whoever asked to be told of entries, and the way of each event to its listener (JavaSpaces notify, JavaSpace05
 * availability events). Numbers rise by one from that of the registration: no gap means that nothing was missed.
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
  /** As it was when it happened. */
  readonly entry: Entry<F>
  /** One more than that of the event before it. */
  readonly sequence: number
}

/** Events reach it one after the other; if it returns a promise, the next one waits for that. */
export type Listener<F extends object> = (event: SpaceEvent<F>) => unknown

export interface NotifyOptions {
  /**
   * `written` (default): an entry was written, seen from outside; `visible`: one can be read that could not; `available`: one can be taken
   * that could not, which is also when one comes back.
   */
  readonly on?: Transition | undefined
  /** How long it stays registered unless its lease is renewed, in ms. Default 24 h; Infinity = as long as this process. */
  readonly leaseMs?: number | undefined
  /** Tells also of what is written under this transaction, at once, and ends with it. */
  readonly tx?: Transaction | undefined
  /** Events were lost on their way (a connection was cut, or the listener fell 10 000 behind): how many, and the number of the last. */
  readonly onMissed?: ((count: number, sequence: number) => void) | undefined
  /** The listener threw, or its promise was rejected. Default: the space's logger. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Whether a listener that throws is told nothing more. Default false. */
  readonly cancelOnError?: boolean | undefined
  /** The registration has ended: its lease or its transaction, or the space has forgotten it. */
  readonly onEnded?: (() => void) | undefined
}

/** So many events wait for a slow listener; further ones are missed. */
const MOST_WAITING = 10_000

export class Registration {
  readonly lease: Lease
  /** The number before that of the first event. */
  readonly sequence: number

  /** @internal Use space.notify. */
  constructor(engine: Engine, registered: Registered, leaseMs: number, asked: number) {
    this.lease = new Lease(engine, registered.id, registered, leaseMs, asked)
    this.sequence = registered.sequence
  }

  /** Ends it. Events that are on their way may still arrive. Does nothing when it has ended. */
  async cancel(): Promise<void> {
    await this.lease.cancel().catch((error) => {
      if (error.code !== 'LEASE_UNKNOWN') throw error
    })
  }
}

const OPTIONS: ReadonlySet<string> = new Set([
  ...['on', 'leaseMs', 'tx', 'onMissed', 'onError', 'cancelOnError', 'onEnded'],
])
const TRANSITIONS: ReadonlySet<string> = new Set<Transition>(['written', 'visible', 'available'])

/** Makes the registration of a listener. @throws SpaceError as space.notify */
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
  if (!TRANSITIONS.has(on)) throw new SpaceError('INVALID_ARGUMENT', `on is one of ${[...TRANSITIONS].join(', ')}.`)
  checkedLease(leaseMs)
  // Of several kinds only the common fields are known; a schema is asked where there is one kind.
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

/** What happened, in order, for one listener; one that is slow holds up nobody but itself. */
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

  /** It has failed, and wants no more. */
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
      // Nothing more may come that would tell of it.
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

  /** What the user's own callback throws concerns nobody else. */
  #guarded(call: () => void): void {
    try {
      call()
    } catch {}
  }
}
