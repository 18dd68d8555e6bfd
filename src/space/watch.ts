/**
 * watch: events as an iteration, with back-pressure: what the loop has not asked for is kept, up to a bound. What is lost
 * beyond that is told in its place among the events.
 */
import type { Engine } from '../engine.js'
import { type Template, templatesOf } from '../entry/template.js'
import type { FieldsOf, Matching } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { onAbort } from '../runtime/abort.js'
import { Iteration } from '../runtime/iteration.js'
import type { Stoppable } from '../runtime/lifecycle.js'
import { Wait } from '../runtime/wait.js'
import { checkedWait, checkTransaction } from './find.js'
import type { ArrivedEvent } from './inbox.js'
import { KeepAlive } from './keep-alive.js'
import {
  type BatchOptions,
  checkedBatch,
  eventsOf,
  type NotifyOptions,
  type Registration,
  register,
  type SpaceEvent,
} from './notify.js'
import { checkedMax } from './take-all.js'

export interface WatchOptions extends Pick<NotifyOptions, 'on' | 'tx'> {
  /**
   * Lease of the registration, in ms, which is renewed while the iteration goes on. Default 24 h; Infinity = as long as
   * this process.
   */
  readonly leaseMs?: number | undefined
  /** Maximum number of events that are kept for the loop; further ones are missed. Default 1 000. */
  readonly max?: number | undefined
  /** Ends the iteration: it throws `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** Events that were lost: a connection was cut, or more than `max` were not yet asked for. */
export interface MissedEvents {
  /** How many; Infinity if the space had lost the registration and it was made again. */
  readonly missed: number
  /** The number of the last of them. */
  readonly sequence: number
  readonly entry?: undefined
}

/** An item of `watch`: an event, or how many were lost in its place. */
export type WatchedEvent<F extends object> = (SpaceEvent<F> & { readonly missed?: undefined }) | MissedEvents

/** A template or several. */
export type AskedTemplates = Matching<object> | readonly Matching<object>[]

/** The fields of what a template, or one of several, matches. */
export type FieldsAsked<T> = FieldsOf<T extends readonly (infer M)[] ? M : T>

const OPTIONS: ReadonlySet<string> = new Set(['on', 'leaseMs', 'tx', 'max', 'signal', 'maxBatch', 'maxWaitMs'])

const DEFAULT_MAX = 1_000

/** The parts of a space that a watch needs. */
export interface WatchOf {
  readonly engine: Engine
  readonly logger: Logger
  /** Throws if the space is closed. */
  check(): void
  /** Called when the watch has ended. */
  onEnd(watch: Stoppable): void
}

/** The iteration that `space.watch` returns; one loop. */
export class Watch<T> extends Iteration<T> {
  readonly #of: WatchOf
  readonly #options: WatchOptions & Partial<BatchOptions>
  readonly #registered: Promise<Registration>
  #asked: readonly Template<object>[] = []
  #max = DEFAULT_MAX
  /** Events without a gap, or how many were missed, in order. */
  readonly #kept: (ArrivedEvent | MissedEvents)[] = []
  /** The number of kept items that the loop waits for. */
  #awaited: { readonly count: number; readonly wait: Wait<void> } | undefined
  /** Nothing more will come; the loop throws the error, if there is one, behind what is kept. */
  #over: { readonly error?: SpaceError } | undefined
  /** The loop throws this at once. */
  #failure: { readonly error: unknown } | undefined
  #isDone = false
  #keepAlive: KeepAlive | undefined
  #unlisten: (() => void) | undefined

  /** @internal Use space.watch. */
  constructor(of: WatchOf, templates: readonly unknown[], options: WatchOptions & Partial<BatchOptions>) {
    super()
    this.#of = of
    this.#options = options
    this.#registered = this.#register(templates)
    // The loop throws the error; `ready` may not be read.
    this.#registered.catch(() => this.#end())
  }

  /**
   * Resolves when the space has the registration: changes from then on are events, whoever makes them. Changes that this
   * process asks for after `space.watch` are events anyway.
   * @throws SpaceError as the first item
   */
  get ready(): Promise<void> {
    return this.#registered.then(() => {})
  }

  /** Ends the iteration, as `break` does, also while it waits. */
  override return(): Promise<IteratorResult<T, undefined>> {
    this.#end()
    return super.return()
  }

  /** @internal The space closes. */
  stop(): void {
    this.#fail(new SpaceError('SPACE_CLOSED'))
  }

  protected async *items(): AsyncGenerator<T, undefined, undefined> {
    try {
      this.#keep(await this.#registered)
      const { maxBatch, maxWaitMs = 0 } = this.#options
      for (;;) {
        await this.#until(1, Number.POSITIVE_INFINITY)
        if (maxBatch !== undefined) await this.#until(Math.min(maxBatch, this.#max), maxWaitMs)
        if (this.#failure) throw this.#failure.error
        if (this.#isDone) return undefined
        if (this.#kept.length === 0 && this.#over?.error) throw this.#over.error
        if (this.#kept.length === 0) return undefined
        const items = await this.#opened(this.#kept.splice(0, maxBatch ?? 1))
        if (maxBatch === undefined) yield* items as T[]
        else if (items.length > 0) yield items as T
      }
    } finally {
      this.#end()
    }
  }

  async #register(templates: readonly unknown[]): Promise<Registration> {
    const { engine } = this.#of
    const { on, leaseMs, tx, max = DEFAULT_MAX, signal } = onlyKnown('watch', this.#options, OPTIONS)
    this.#of.check()
    checkTransaction(tx, engine)
    checkedBatch(this.#options)
    checkedWait(0, signal)
    this.#max = checkedMax(max)
    this.#asked = templatesOf('watch', templates)
    signal?.throwIfAborted()
    if (signal) this.#unlisten = onAbort(signal, () => this.#fail(signal.reason))
    const registration = await register('watch', engine, this.#asked, {
      on,
      leaseMs,
      tx,
      onEvent: (stored, sequence) => this.#add({ stored, sequence }),
      onMissed: (missed, sequence) => this.#miss(missed, sequence),
      onEnded: () => this.#ended(tx ? undefined : new SpaceError('LEASE_UNKNOWN', 'The registration has ended.')),
    })
    if (this.#isDone) void registration.cancel().catch(() => {})
    return registration
  }

  #add(event: ArrivedEvent): void {
    if (this.#isDone) return
    if (this.#kept.length >= this.#max) return this.#miss(1, event.sequence)
    this.#kept.push(event)
    this.#wake()
  }

  /** Events that are missed in a row are one item. */
  #miss(count: number, sequence: number): void {
    const last = this.#kept.at(-1)
    const before = last && 'missed' in last ? this.#kept.pop() : undefined
    this.#kept.push({ missed: count + ((before as MissedEvents | undefined)?.missed ?? 0), sequence })
    this.#wake()
  }

  /** Renews the lease from the first item that is asked for on: a watch that is never looked at ends with its lease. */
  #keep({ lease }: Registration): void {
    if (this.#isDone) return
    this.#keepAlive = new KeepAlive(
      [lease],
      { onLost: (_lease, error) => this.#ended(error) },
      this.#of.logger,
      () => {},
    )
  }

  /** Resolves when so many items are kept, the time is over, or nothing more will come. */
  async #until(count: number, ms: number): Promise<void> {
    if (this.#kept.length >= count || this.#over || this.#failure || this.#isDone || ms === 0) return
    const wait = new Wait<void>()
    this.#awaited = { count, wait }
    const end = (): void => wait.resolve()
    await wait.until(ms, end, undefined, end).promise
    this.#awaited = undefined
  }

  #wake(isAll = false): void {
    if (this.#awaited && (isAll || this.#kept.length >= this.#awaited.count)) this.#awaited.wait.resolve()
  }

  /** Returns the events with their entries. An entry that does not match its schema is no event. */
  async #opened(kept: readonly (ArrivedEvent | MissedEvents)[]): Promise<WatchedEvent<object>[]> {
    const items: WatchedEvent<object>[] = []
    for (const item of kept) {
      if ('missed' in item) items.push(item)
      else items.push(...(await eventsOf([item], this.#asked)))
    }
    return items
  }

  #ended(error: SpaceError | undefined): void {
    this.#over ??= error ? { error } : {}
    this.#wake(true)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#end()
  }

  #end(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#unlisten?.()
    this.#keepAlive?.stop()
    this.#wake(true)
    this.#registered.then((registration) => registration.cancel()).catch(() => {})
    this.#of.onEnd(this)
  }
}
