/** Cron: the moments at which a cron expression fires in its time zone. The only file that imports cron-parser. */
import { type CronExpression, CronExpressionParser } from 'cron-parser'
import { SpaceError } from '../errors.js'
import { DAY_MS } from './enqueue.js'

/**
 * cron-parser evaluates the expression on a clock without a time zone. This file maps its local times to moments, so
 * that firings depend on expression and zone alone, not on when they are computed:
 *
 * - a local time that the zone skips (clocks forward) fires as if the clocks had not been changed yet;
 * - a local time that the zone repeats (clocks back) fires the first time; if the expression names every hour, both
 *   times.
 */

/** A zone changes its clocks by a day at most (Samoa, 2011), and not twice in three days. */
const NEAR_MS = 26 * 3_600_000
/** Offsets that are kept for a zone, and expressions that are kept read: reading one takes as long as using it. */
const MOST_DAYS = 1_000
const MOST_EXPRESSIONS = 1_000

/**
 * Returns the first firing after `after`, ms since 1970; undefined without one.
 *
 * @throws the error of cron-parser or Intl for a malformed expression or zone
 */
export function nextFiring(cron: string, timeZone: string, after: number): number | undefined {
  const clock = clockOf(timeZone)
  const found = nextNear(cron, clock, after)
  if (found === undefined || found - after <= NEAR_MS) return found
  // A change of the clocks before it may have put a later local time first.
  const changed = clock.offsetAt(found - NEAR_MS) !== clock.offsetAt(found)
  return changed ? nextNear(cron, clock, found - NEAR_MS) : found
}

/** Right if the clocks change only near `after`, or not before the result. */
function nextNear(cron: string, clock: ZoneClock, after: number): number | undefined {
  const offsets = [0, -NEAR_MS, NEAR_MS].map((ms) => clock.offsetAt(after + ms))
  const expression = expressionOf(cron)
  const isHourly = expression.fields.hour.values.length === 24
  let first: number | undefined
  for (const offset of new Set(offsets)) {
    expression.reset(new Date(after + offset))
    for (let local = nextLocal(expression); local !== undefined; local = nextLocal(expression)) {
      for (const moment of momentsOf(clock, local, isHourly)) {
        if (moment > after && !(first !== undefined && first <= moment)) first = moment
      }
      if (first !== undefined && local - offset >= first) break
    }
  }
  return first
}

const expressions = new Map<string, CronExpression>()

function expressionOf(cron: string): CronExpression {
  let expression = expressions.get(cron)
  if (!expression) {
    // Without a seed each H would differ each time.
    expression = CronExpressionParser.parse(cron, { tz: 'UTC', hashSeed: cron })
    if (expressions.size >= MOST_EXPRESSIONS) expressions.clear()
    expressions.set(cron, expression)
  }
  return expression
}

/** Local times are ms since 1970, as if the local clock showed UTC. */
function nextLocal(expression: CronExpression): number | undefined {
  try {
    return expression.next().getTime()
  } catch {
    // cron-parser has looked at 10 000 dates, which is more than a year of days for each leap day to come.
    return undefined
  }
}

function momentsOf(clock: ZoneClock, local: number, isHourly: boolean): number[] {
  const [before, later] = [clock.offsetAt(local - NEAR_MS), clock.offsetAt(local + NEAR_MS)]
  const moments = [...new Set([local - before, local - later])].filter((at) => at + clock.offsetAt(at) === local)
  if (moments.length === 0) return [local - before]
  moments.sort((a, b) => a - b)
  return isHourly ? moments : moments.slice(0, 1)
}

/** The clock of a zone. Formatting costs 30 µs, so the offset at the beginning of each day of UTC is kept. */
class ZoneClock {
  readonly #format: Intl.DateTimeFormat
  readonly #offsets = new Map<number, number>()

  /** @throws RangeError: no such zone */
  constructor(timeZone: string) {
    const n = 'numeric'
    const shown = { year: n, month: n, day: n, hour: n, minute: n, second: n } as const
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...shown })
  }

  /** How far it is ahead of UTC at a moment, in ms. */
  offsetAt(moment: number): number {
    const day = Math.floor(moment / DAY_MS)
    const offset = this.#offsetOf(day)
    return offset === this.#offsetOf(day + 1) ? offset : this.#read(moment)
  }

  #offsetOf(day: number): number {
    let offset = this.#offsets.get(day)
    if (offset === undefined) {
      if (this.#offsets.size >= MOST_DAYS) this.#offsets.clear()
      offset = this.#read(day * DAY_MS)
      this.#offsets.set(day, offset)
    }
    return offset
  }

  #read(moment: number): number {
    const whole = Math.floor(moment / 1_000) * 1_000
    const parts: Record<string, number> = {}
    for (const { type, value } of this.#format.formatToParts(whole)) parts[type] = Number(value)
    const { year, month, day, hour, minute, second } = parts
    return Date.UTC(year!, month! - 1, day, hour, minute, second) - whole
  }
}

const clocks = new Map<string, ZoneClock>()

/** @throws RangeError: no such zone */
function clockOf(timeZone: string): ZoneClock {
  let clock = clocks.get(timeZone)
  if (!clock) {
    clock = new ZoneClock(timeZone)
    clocks.set(timeZone, clock)
  }
  return clock
}

/**
 * Throws INVALID_ARGUMENT, naming the value, if the zone or the expression is malformed, or the expression never fires.
 */
export function checkedCron(cron: string, timeZone: string | undefined, now: number): void {
  const zone = timeZone ?? 'UTC'
  try {
    clockOf(zone)
  } catch (cause) {
    throw wrong(`timeZone is ${JSON.stringify(zone)}, which is not an IANA time zone.`, cause)
  }
  const fields = cron.trim().split(/\s+/).length
  const isWhole = fields === 5 || fields === 6 || cron.startsWith('@')
  if (!isWhole) throw wrong(`cron is ${JSON.stringify(cron)}, which has not five fields, or six with seconds in front.`)
  let next: number | undefined
  try {
    next = nextFiring(cron, zone, now)
  } catch (cause) {
    const { message } = cause as Error
    throw wrong(`cron is ${JSON.stringify(cron)}, which is not a cron expression: ${message}.`, cause)
  }
  if (next === undefined) throw wrong(`cron is ${JSON.stringify(cron)}, which matches no date.`)
}

const wrong = (detail: string, cause?: unknown): SpaceError => new SpaceError('INVALID_ARGUMENT', detail, { cause })
