/** Agenda: the later tasks of an in-memory space, by due time. It outlives the schedulers that work on it. */
import { isDeepStrictEqual } from 'node:util'
import { wallMs } from '../clock.js'
import type { LaterTask } from '../tasks/enqueue.js'
import type { Planned, Scheduled } from '../tasks/schedule.js'
import { MOST_PLANNED, type Queueing } from './asked.js'
import { firingAfter, firstFiring, missedBetween, type Recurrence, recurrenceOf } from './recurrence.js'

/** A later task, or a retry. */
export interface LaterJob extends Omit<LaterTask, 'ticket' | 'leaseMs' | 'repeatable'> {
  /** Unique among the unfinished jobs of the space. */
  readonly id: string
  /** Distinguishes it from an earlier job of the same id. */
  readonly number: number
  readonly ticket?: string
  readonly leaseMs?: number
  readonly attemptsMade: number
}

/** The part of a scheduler that an agenda uses. */
export interface Attendant {
  readonly hasRoom: boolean
  /** Runs the next attempt of a due job, and puts the job back if another one follows. Never throws. */
  begin(job: LaterJob): void
}

interface Firing {
  readonly dueAt: number
  readonly recurrence: Recurrence
  readonly scheduled: Scheduled
}

type AgendaItem = LaterJob | Firing

/** The longest timer: a step of the wall clock, or the machine's sleep, is noticed within this. */
const LONGEST_MS = 60_000

export class Agenda implements Queueing {
  /** Earliest first. */
  readonly #items: AgendaItem[] = []
  /** The ids of unfinished jobs. */
  readonly #jobs = new Set<string>()
  readonly #firings = new Map<string, Firing>()
  readonly #attendants = new Set<Attendant>()
  #timer: NodeJS.Timeout | undefined
  #numbers = 0

  async later({ ticket, repeatable: _, ...task }: LaterTask): Promise<void> {
    // A scheduler that stopped before it answered leaves the request to the next one: it is the same job.
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

  async runSchedule(name: string): Promise<boolean> {
    const firing = this.#firings.get(name)
    if (!firing) return false
    const { task, input, retries, trace } = firing.scheduled
    const { repeatable: _, ...options } = retries
    const now = wallMs()
    this.#add({ ...options, id: `run:${name}:${now}:${this.#numbers}`, task, input, trace, dueAt: now })
    return true
  }

  async schedules(): Promise<Planned[]> {
    const planned = Array.from(this.#firings.values(), ({ dueAt, scheduled: { name, task, times, retries } }) => {
      return { name, task, service: retries.service, times, next: dueAt }
    })
    return planned.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, MOST_PLANNED)
  }

  #drop(name: string): boolean {
    const firing = this.#firings.get(name)
    if (!firing) return false
    this.#firings.delete(name)
    this.#items.splice(this.#items.indexOf(firing), 1)
    return true
  }

  /** Adds a scheduler, which is given due jobs while it has room. */
  attend(attendant: Attendant): void {
    this.#attendants.add(attendant)
    this.look()
  }

  /** Removes a scheduler; without any, due jobs wait. */
  leave(attendant: Attendant): void {
    this.#attendants.delete(attendant)
    this.look()
  }

  /** Adds a job for its next attempt. */
  putBack(job: LaterJob): void {
    this.#insert(job)
    this.look()
  }

  over({ id }: LaterJob): void {
    this.#jobs.delete(id)
  }

  /** Hands out due jobs; called when a job or room for one may have come. */
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

  /** Adds a job for a firing, and for each later one that was missed. */
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

  /** Inserts an item behind those of the same time. */
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
