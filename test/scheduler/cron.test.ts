/** Promises of cron expressions: their firings follow from expression and zone alone, also in the nights when clocks change. */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { missedBetween } from '../../src/schedulers/recurrence.js'
import { nextFiring } from '../../src/tasks/cron.js'

const iso = (moment: number): string => new Date(moment).toISOString().slice(0, 19)

/** Returns this many firings from there on, each asked for at the one before it. */
function firings(cron: string, zone: string, from: string, count: number): string[] {
  const found: string[] = []
  for (let at = nextFiring(cron, zone, Date.parse(from)); at !== undefined; at = nextFiring(cron, zone, at)) {
    if (found.push(iso(at)) === count) break
  }
  return found
}

describe('when clocks go back', () => {
  test.each([
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', ['2026-10-25T00:30:00', '2026-10-26T01:30:00']],
    // Between the first 02:30 and the second.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T01:29:55Z', ['2026-10-26T01:30:00', '2026-10-27T01:30:00']],
    ['*/20 2 * * *', 'Europe/Berlin', '2026-10-25T00:40:00Z', ['2026-10-26T01:00:00', '2026-10-26T01:20:00']],
    ['0 0 * * *', 'America/Havana', '2026-11-01T04:30:00Z', ['2026-11-02T05:00:00']],
    ['45 1 * * *', 'Australia/Lord_Howe', '2026-04-04T14:00:00Z', ['2026-04-04T14:45:00', '2026-04-05T15:15:00']],
  ])('%s in %s after %s fires once that day', (cron, zone, from, expected) => {
    expect(firings(cron, zone, from, expected.length)).toEqual(expected)
  })

  test('an expression that names every hour fires in both hours', () => {
    const expected = ['2026-10-24T23:30:00', '2026-10-25T00:30:00', '2026-10-25T01:30:00', '2026-10-25T02:30:00']
    expect(firings('30 * * * *', 'Europe/Berlin', '2026-10-24T23:00:00Z', 4)).toEqual(expected)
  })
})

describe('when clocks go forward', () => {
  test.each([
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-29T01:30:00', '2026-03-30T00:30:00']],
    // Right before the gap and in what would have been it.
    ['*/20 2 * * *', 'Europe/Berlin', '2026-03-29T00:59:00Z', ['2026-03-29T01:00:00', '2026-03-29T01:20:00']],
    ['*/20 2 * * *', 'Europe/Berlin', '2026-03-29T01:20:00Z', ['2026-03-29T01:40:00', '2026-03-30T00:00:00']],
    ['30 * * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', ['2026-03-29T00:30:00', '2026-03-29T01:30:00']],
    ['30 0 * * *', 'America/Havana', '2026-03-07T12:00:00Z', ['2026-03-08T05:30:00', '2026-03-09T04:30:00']],
    // A day that was left out.
    ['0 12 * * *', 'Pacific/Apia', '2011-12-29T23:00:00Z', ['2011-12-30T22:00:00', '2011-12-31T22:00:00']],
  ])('%s in %s after %s fires as if they had not', (cron, zone, from, expected) => {
    expect(firings(cron, zone, from, expected.length)).toEqual(expected)
  })
})

test('whenever it is asked, the next firing is the same until that has come', () => {
  const zones = ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'America/Havana', 'Africa/Casablanca']
  const crons = ['30 2 * * *', '15,45 0-3 * * *', '*/20 1,2 * * *', '30 * * * *', '0 */2 * * *', '0 3 * * 0']
  const near = ['2026-10-24T22:00:00Z', '2026-03-28T22:00:00Z', '2026-04-04T12:00:00Z', '2026-11-01T02:00:00Z']
  const moments = near.map((day) => Date.parse(day))
  const anyCase = fc.tuple(
    fc.constantFrom(...crons),
    fc.constantFrom(...zones),
    fc.constantFrom(...moments),
    fc.integer({ min: 0, max: 12 * 3_600 }),
    fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  )
  fc.assert(
    fc.property(anyCase, ([cron, zone, day, seconds, part]) => {
      const from = day + seconds * 1_000
      const next = nextFiring(cron, zone, from)!
      expect(next).toBeGreaterThan(from)
      const between = Math.min(Math.floor(from + (next - from) * part), next - 1)
      expect(nextFiring(cron, zone, between)).toBe(next)
    }),
    { numRuns: 200 },
  )
})

test('leap days, last days and weekdays are found; H is the same each time', () => {
  expect(firings('0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
    '2028-02-29T00:00:00',
    '2032-02-29T00:00:00',
  ])
  expect(firings('0 9 L * *', 'Asia/Tokyo', '2026-02-01T00:00:00Z', 1)).toEqual(['2026-02-28T00:00:00'])
  expect(firings('0 9 * * 5#3', 'UTC', '2026-02-01T00:00:00Z', 1)).toEqual(['2026-02-20T09:00:00'])
  const [first, second] = firings('H H * * *', 'UTC', '2026-02-01T00:00:00Z', 2)
  expect(Date.parse(second!) - Date.parse(first!)).toBe(86_400_000)
})

test('of what was missed the last 1,000 firings count, whatever the schedule', () => {
  const now = Date.parse('2026-06-01T00:00:00Z')
  const week = now - 7 * 86_400_000
  for (const recurrence of [{ pattern: '* * * * * *', tz: 'UTC' }, { every: 1_000 }]) {
    const missed = missedBetween(recurrence, week, now)
    expect([missed.length, missed[0], missed.at(-1)]).toEqual([1_000, now - 999_000, now])
  }
  const daily = missedBetween({ pattern: '0 3 * * *', tz: 'Europe/Berlin' }, Date.parse('2026-05-25T01:00:00Z'), now)
  expect(daily.map(iso)).toEqual([26, 27, 28, 29, 30, 31].map((day) => `2026-05-${day}T01:00:00`))
})
