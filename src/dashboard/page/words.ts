/** Numbers, times and sizes as texts. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** Returns a duration in its largest unit, such as `3 h`; below ten of it with one digit more. */
export function durationWords(ms: number): string {
  if (ms > 0 && ms < 1) return '< 1 ms'
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['ms', 1]
  const value = ms / size
  return `${unit === 's' && value < 10 ? value.toFixed(1) : Math.floor(value)} ${unit}`
}

export const ageWords = (at: number, now: number): string => durationWords(Math.max(now - at, 0))

const PLAIN = new Intl.NumberFormat('en', { useGrouping: true })

export const numberWords = (value: number): string => PLAIN.format(value)

/** A number a second: small ones with a digit more. */
export const rateWords = (rate: number): string =>
  rate > 0 && rate < 10 ? rate.toFixed(1) : PLAIN.format(Math.round(rate))

/** A part of all, in percent: small ones with a digit more. */
export const shareWords = (share: number): string =>
  `${share > 0 && share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`

export const bytesWords = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`

const TIME = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

export const timeWords = (at: number): string => TIME.format(at)

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

export const clockWords = (at: number): string => CLOCK.format(at)

/** Returns `1 request` or `2 requests`. */
export const countWords = (count: number, one: string, many = `${one}s`): string =>
  `${numberWords(count)} ${count === 1 ? one : many}`

/** The beginning of a name that is long. */
export const shortName = (name: string): string => name.slice(0, 8)
