/** Agenda: what is due later in an in-memory space, in the order in which it is due. It outlives the schedulers that work it off. */
import { isDeepStrictEqual } from 'node:util'
import { wallMs } from '../clock.js'
import type { LaterTask } from '../tasks/enqueue.js'
import type { Scheduled } from '../tasks/schedule.js'
import type { Queueing } from './asked.js'
import { firingAfter, firstFiring, missedBetween, type Recurrence, recurrenceOf } from './recurrence.js'

/** A task that is due later, for the first time or again. */
export interface LaterJob extends Omit<LaterTask, 'ticket' | 'leaseMs' | 'repeatable'> {
  /** Unique among the jobs of the space that are not over. */
  readonly id: string
  /** Tells it from an earlier job of the same id. */
  readonly number: number
  readonly ticket?: string
  readonly leaseMs?: number
  readonly attemptsMade: number
}

/** A scheduler, as far as an agenda needs one. */
export interface Attendant {
  readonly hasRoom: boolean
  /** Runs the next attempt of a job that is due, and puts the job back if there is to be another one. Never throws. */
  begin(job: LaterJob): void
}

interface Firing {
  readonly dueAt: number
  readonly recurrence: Recurrence
  readonly scheduled: Scheduled
}

type AgendaItem = LaterJob | Firing

/** No timer runs longer: a step of the wall clock, or the sleep of the machine, is noticed within this. */
const LONGEST_MS = 60_000

export class Agenda implements Queueing {
  /** The earliest first. */
  readonly #items: AgendaItem[] = []
  /** The ids of jobs that are not over. */
  readonly #jobs = new Set<string>()
  readonly #firings = new Map<string, Firing>()
  readonly #attendants = new Set<Attendant>()
  #timer: NodeJS.Timeout | undefined
  #numbers = 0

  async later({ ticket, repeatable: _, ...task }: LaterTask): Promise<void> {
    // A scheduler that stopped before it had answered leaves the question to the next one: it is the same job.
    if (!this.#jobs.has(ticket)) this.#add({ ...task, id: ticket, ticket })
  }

  async schedule(scheduled: Scheduled): Promise<number> {
    const { name, times } = scheduled
    const recurrence = recurrenceOf(times)
    const before = this.#firings.get(name)
    const isSame = before !== undefined && isDeepStrictEqual(before.recurrence, recurrence)
    const now = wallMs()
    const dueAt = isSame ? before.dueAt : 'everyMs' in times ? now : firstFiring(recurrence, now)
    this.#drop(name)
    this.#fire({ dueAt, recurrence, scheduled })
    this.look()
    return dueAt
  }

  async unschedule(name: string): Promise<boolean> {
    return this.#drop(name)
  }

  #drop(name: string): boolean {
    const firing = this.#firings.get(name)
    if (!firing) return false
    this.#firings.delete(name)
    this.#items.splice(this.#items.indexOf(firing), 1)
    return true
  }

  /** From now on it is given what is due, if it has room. */
  attend(attendant: Attendant): void {
    this.#attendants.add(attendant)
    this.look()
  }

  /** The last one to leave stops the timer; what is due then waits for the next one. */
  leave(attendant: Attendant): void {
    this.#attendants.delete(attendant)
    this.look()
  }

  /** The job is due again. */
  putBack(job: LaterJob): void {
    this.#insert(job)
    this.look()
  }

  over({ id }: LaterJob): void {
    this.#jobs.delete(id)
  }

  /** Hands out what is due; called when something may have become so, or a scheduler may have room. */
  look(): void {
    clearTimeout(this.#timer)
    for (let attendant = this.#free(); attendant; attendant = this.#free()) {
      const [first] = this.#items
      if (!first) return
      const inMs = first.dueAt - wallMs()
      if (inMs > 0) {
        this.#timer = setTimeout(() => this.look(), Math.min(Math.ceil(inMs), LONGEST_MS))
        return
      }
      this.#items.shift()
      if ('scheduled' in first) this.#fired(first)
      else attendant.begin(first)
    }
  }

  #free(): Attendant | undefined {
    for (const attendant of this.#attendants) if (attendant.hasRoom) return attendant
    return undefined
  }

  /** Adds a job for it, and for each of its firings that nobody has seen. */
  #fired({ dueAt, recurrence, scheduled }: Firing): void {
    const { name, task, input, retries, trace } = scheduled
    const { repeatable: _, ...options } = retries
    const times = [dueAt, ...missedBetween(recurrence, dueAt, wallMs())]
    for (const time of times) {
      this.#insert(this.#job({ ...options, id: `repeat:${name}:${time}`, task, input, trace, dueAt: time }))
    }
    const next = firingAfter(recurrence, times.at(-1)!)
    if (next === undefined) this.#firings.delete(name)
    else this.#fire({ dueAt: next, recurrence, scheduled })
  }

  #fire(firing: Firing): void {
    this.#firings.set(firing.scheduled.name, firing)
    this.#insert(firing)
  }

  #add(job: Omit<LaterJob, 'number' | 'attemptsMade'>): void {
    this.#insert(this.#job(job))
    this.look()
  }

  #job(job: Omit<LaterJob, 'number' | 'attemptsMade'>): LaterJob {
    this.#jobs.add(job.id)
    return { ...job, number: ++this.#numbers, attemptsMade: 0 }
  }

  /** Behind those that are due at the same moment. */
  #insert(item: AgendaItem): void {
    let [low, high] = [0, this.#items.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#items[middle]!.dueAt <= item.dueAt) low = middle + 1
      else high = middle
    }
    this.#items.splice(low, 0, item)
  }
}
