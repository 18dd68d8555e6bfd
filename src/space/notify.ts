/**
 * Registration: a listener for entries (JavaSpaces notify, JavaSpace05 availability events). Sequence numbers rise by one
 * from that of the registration: without a gap, nothing was missed.
 */
import { monotonicMs } from '../clock.js'
import type { Engine, Interest, Registered, Transition } from '../engine.js'
import { entryOf, Nonconforming } from '../entry/nonconforming.js'
import { type Template, templateOf } from '../entry/template.js'
import { AnyEntry, type Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { type ArrivedEvent, Inbox, MOST_WAITING } from './inbox.js'
import { checkedLease, Lease } from './lease.js'
import { checkedMax } from './take-all.js'
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

/** Called for one batch after the other, each of at least one event. */
export type BatchListener<F extends object> = (events: readonly SpaceEvent<F>[]) => unknown

export interface BatchOptions {
  /** Maximum number of events in a batch, 1 to 10 000. */
  readonly maxBatch: number
  /**
   * How long to wait from the first event of a batch until it is full, in ms, at most an hour. Default 0: a batch is what
   * has arrived while the one before it was dealt with.
   */
  readonly maxWaitMs?: number | undefined
}

/** For the compiler only: without `maxBatch` there are no batches. */
export interface NoBatchOptions {
  readonly maxBatch?: undefined
  readonly maxWaitMs?: undefined
}

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
  ...['on', 'leaseMs', 'tx', 'onMissed', 'onError', 'cancelOnError', 'onEnded', 'maxBatch', 'maxWaitMs'],
])
const TRANSITIONS: ReadonlySet<string> = new Set<Transition>(['written', 'visible', 'available', 'changed'])

/** A batch waits no longer. */
const LONGEST_WAIT_MS = 3_600_000

/** Returns the options. Throws INVALID_ARGUMENT for a number that is none, or a wait without batches. */
export function checkedBatch({ maxBatch, maxWaitMs }: Partial<BatchOptions>): Partial<BatchOptions> {
  if (maxBatch !== undefined && checkedMax(maxBatch, 'maxBatch') > MOST_WAITING) {
    throw new SpaceError('INVALID_ARGUMENT', `maxBatch is at most ${MOST_WAITING}.`)
  }
  if (maxWaitMs === undefined) return { maxBatch }
  if (maxBatch === undefined) throw new SpaceError('INVALID_ARGUMENT', 'maxWaitMs is for batches: give maxBatch, too.')
  if (checkedLease(maxWaitMs, 'maxWaitMs') <= LONGEST_WAIT_MS) return { maxBatch, maxWaitMs }
  throw new SpaceError('INVALID_ARGUMENT', `maxWaitMs is at most ${LONGEST_WAIT_MS}.`)
}

/** The terms of a registration, and its listeners. */
export interface RegistrationTerms
  extends Pick<NotifyOptions, 'on' | 'leaseMs' | 'tx'>,
    Pick<Interest, 'onEvent' | 'onMissed' | 'onEnded'> {}

/**
 * Registers for events.
 * @param what the function that its user calls
 * @throws SpaceError as space.notify
 */
export async function register(
  what: string,
  engine: Engine,
  asked: readonly Template<object>[],
  terms: RegistrationTerms,
): Promise<Registration> {
  const { on = 'written', leaseMs = DEFAULT_LEASE_MS, tx, onEvent, onMissed, onEnded } = terms
  if (asked.length === 0) throw new SpaceError('INVALID_ARGUMENT', `${what} wants at least one template.`)
  if (!TRANSITIONS.has(on))
    throw new SpaceError('INVALID_ARGUMENT', `on must be one of ${[...TRANSITIONS].join(', ')}.`)
  if (checkedLease(leaseMs) === 0 && on !== 'written') {
    throw new SpaceError('INVALID_ARGUMENT', `leaseMs is more than 0 for ${on}.`)
  }
  const templates = asked.map(({ encoded }) => encoded)
  const interest: Interest = { templates, on, leaseMs, tx: tx?.id, onEvent, onMissed, onEnded }
  const asking = monotonicMs()
  tx?.watch()
  const registered = await (tx ? tx.find(undefined, () => engine.notify(interest)) : engine.notify(interest))
  return new Registration(engine, registered, leaseMs, asking)
}

/** Returns the events with their entries, without those of entries that do not match their schema. */
export async function eventsOf<F extends object>(
  arrived: readonly ArrivedEvent[],
  asked: readonly Template<object>[],
): Promise<SpaceEvent<F>[]> {
  // Several kinds have no common schema.
  const { definition } = asked.length === 1 ? asked[0]! : templateOf(AnyEntry)
  const events: SpaceEvent<F>[] = []
  for (const { stored, sequence } of arrived) {
    const entry = await entryOf(stored, definition)
    if (!(entry instanceof Nonconforming)) events.push({ entry: entry as Entry<F>, sequence })
  }
  return events
}

/** Registers a listener; `options` with `maxBatch`: one for batches. @throws SpaceError as space.notify */
export async function listenTo<F extends object>(
  engine: Engine,
  asked: readonly Template<object>[],
  listener: Listener<F> | BatchListener<F>,
  options: NotifyOptions & Partial<BatchOptions>,
  logger: Logger,
): Promise<Registration> {
  const { on, leaseMs, tx, ...heard } = onlyKnown('notify', options, OPTIONS)
  if (typeof listener !== 'function') throw new SpaceError('INVALID_ARGUMENT', 'listener is a function.')
  const { maxBatch } = checkedBatch(options)
  const tell = async (arrived: readonly ArrivedEvent[]): Promise<void> => {
    const events = await eventsOf<F>(arrived, asked)
    if (events.length === 0) return
    await (maxBatch === undefined ? (listener as Listener<F>)(events[0]!) : (listener as BatchListener<F>)(events))
  }
  let registration: Registration | undefined
  const cancel = (): void => void registration?.cancel().catch(() => {})
  const onError = (error: unknown): void => logger.error({ err: error }, 'a listener failed')
  const inbox = new Inbox(tell, { ...heard, onError: options.onError ?? onError }, cancel)
  registration = await register('notify', engine, asked, {
    on,
    leaseMs,
    tx,
    onEvent: (stored, sequence) => inbox.push(stored, sequence),
    onMissed: (count, sequence) => inbox.missed(count, sequence),
    onEnded: () => inbox.ended(),
  })
  if (inbox.isOver) cancel()
  return registration
}
