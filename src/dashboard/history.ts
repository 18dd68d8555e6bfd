/** The history of a space in memory: an hour in steps of 5 s, and a day in steps of a minute, of a bounded number of series. */
import type { ProcessReport } from '../control/kinds.js'
import type { SpaceState } from '../control/state.js'

/** Of each service; of the space, with these of all services together. */
const OF_SERVICE = [
  ...(['waiting', 'oldestMs', 'held', 'capacity', 'workers'] as const),
  ...(['perSecond', 'failedPerSecond', 'waitP95Ms', 'runP95Ms'] as const),
] as const
type ServiceSeries = (typeof OF_SERVICE)[number]
/** Series whose value over several services is the highest one, not the sum. */
const HIGHEST: ReadonlySet<ServiceSeries> = new Set(['oldestMs', 'waitP95Ms', 'runP95Ms'])

/** The rest of them is together under this name. */
const OTHERS = '(others)'
const MOST_SERVICES = 50

export const SPANS = {
  hour: { stepMs: 5_000, points: 720 },
  day: { stepMs: 60_000, points: 1_440 },
} as const
export type Span = keyof typeof SPANS

/** Series of equal length, oldest value first. */
export interface HistoryPart {
  readonly stepMs: number
  /** When each value was sampled: ms since 1970. */
  readonly at: readonly number[]
  readonly series: Readonly<Record<string, readonly number[]>>
}

/** Values at one time. */
type Point = Readonly<Record<string, number>>

class Ring {
  readonly #points: number
  readonly #at: Float64Array
  readonly #series = new Map<string, Float64Array>()
  #written = 0

  constructor(points: number) {
    this.#points = points
    this.#at = new Float64Array(points)
  }

  add(at: number, point: Point): void {
    const place = this.#written++ % this.#points
    this.#at[place] = at
    for (const series of this.#series.values()) series[place] = 0
    for (const [name, value] of Object.entries(point)) {
      let series = this.#series.get(name)
      if (!series) {
        series = new Float64Array(this.#points)
        this.#series.set(name, series)
      }
      series[place] = value
    }
  }

  read(names: readonly string[], most: number): Pick<HistoryPart, 'at' | 'series'> {
    const count = Math.min(this.#written, this.#points, most)
    const first = this.#written - count
    const inOrder = (values: Float64Array | undefined): number[] =>
      Array.from({ length: count }, (_, i) => values?.[(first + i) % this.#points] ?? 0)
    const series = Object.fromEntries(names.map((name) => [seriesOf(name), inOrder(this.#series.get(name))]))
    return { at: inOrder(this.#at), series }
  }
}

const seriesOf = (name: string): string => name.slice(name.lastIndexOf('\n') + 1)

const keyOf = (service: string, series: string): string => `${service}\n${series}`

export class History {
  readonly #hour = new Ring(SPANS.hour.points)
  readonly #day = new Ring(SPANS.day.points)
  readonly #services = new Set<string>()
  #hourAt = 0
  #dayAt = 0
  /** The highest values of this minute. */
  #minute: Record<string, number> = {}

  /** Adds a state; states that come within a step are one point. */
  add(state: SpaceState): void {
    if (state.at - this.#hourAt < SPANS.hour.stepMs) return
    this.#hourAt = state.at
    const point = this.#pointOf(state)
    this.#hour.add(state.at, point)
    for (const [name, value] of Object.entries(point)) this.#minute[name] = Math.max(this.#minute[name] ?? 0, value)
    if (state.at - this.#dayAt < SPANS.day.stepMs) return
    this.#dayAt = state.at
    this.#day.add(state.at, this.#minute)
    this.#minute = {}
  }

  /** Returns the series of a service, or of the space. */
  of(span: Span, service: string | undefined): HistoryPart {
    const names = service === undefined ? OF_SPACE : OF_SERVICE.map((series) => keyOf(service, series))
    const ring = span === 'hour' ? this.#hour : this.#day
    return { stepMs: SPANS[span].stepMs, ...ring.read(names, SPANS[span].points) }
  }

  /** Returns the latest numbers of waiting requests of each known service. */
  latest(points: number): Record<string, readonly number[]> {
    const of = (service: string) => this.#hour.read([keyOf(service, 'waiting')], points).series.waiting ?? []
    return Object.fromEntries([...this.#services].map((service) => [service, of(service)]))
  }

  #pointOf({ services, deadLetters, processes }: SpaceState): Point {
    const workers = processes.filter(({ roles, state }) => roles.includes('worker') && state === 'running')
    const sum = (of: (each: ProcessReport) => number): number => workers.reduce((total, each) => total + of(each), 0)
    // A worker of several services counts once.
    const once = { held: sum(({ held }) => held), capacity: sum(({ capacity }) => capacity), workers: workers.length }
    const point: Record<string, number> = { deadLetters, processes: processes.length, ...once }
    const add = (name: string, series: ServiceSeries, value: number): void => {
      const before = point[name] ?? 0
      point[name] = HIGHEST.has(series) ? Math.max(before, value) : before + value
    }
    for (const service of services) {
      const isKnown = this.#services.has(service.name) || this.#services.size < MOST_SERVICES
      const name = isKnown ? service.name : OTHERS
      this.#services.add(name)
      for (const series of OF_SERVICE) {
        add(keyOf(name, series), series, service[series])
        if (!(series in once)) add(series, series, service[series])
      }
    }
    return point
  }
}

const OF_SPACE: readonly string[] = [...OF_SERVICE, 'deadLetters', 'processes']
