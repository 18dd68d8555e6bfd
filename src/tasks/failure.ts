/**
 * Failure: what is kept of a value that a task threw. Encoding one succeeds for every value, whatever its getters do.
 */

/** Longer texts are cut, so that a failure is far smaller than an entry may be. In UTF-16 units. */
const LONGEST_MESSAGE = 10_000
const LONGEST_NAME = 200

/** An encoded error; the stack only if the caller asked for it. */
export interface Failure {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  /** The HTTP status that an error or a thrown object names, as Fastify and http-errors do. */
  readonly statusCode?: number
  readonly stack?: string
}

/** Returns the encoding of a thrown value. Never throws. */
export function failureOf(error: unknown, stack = false): Failure {
  const isObject = (typeof error === 'object' && error !== null) || typeof error === 'function'
  if (!isObject) return { name: 'Error', message: cutText(textOf(error), LONGEST_MESSAGE) }
  const message = propertyOf(error, 'message')
  const name = propertyOf(error, 'name')
  const trace = stack ? propertyOf(error, 'stack') : undefined
  return {
    name: cutText(typeof name === 'string' && name !== '' ? name : 'Error', LONGEST_NAME),
    message: cutText(message === undefined ? textOf(error) : textOf(message), LONGEST_MESSAGE),
    ...codesOf(propertyOf(error, 'code'), propertyOf(error, 'statusCode')),
    ...(typeof trace === 'string' ? { stack: cutText(trace, LONGEST_MESSAGE) } : {}),
  }
}

/** Returns the failure of a task that gave up. */
export const gaveUpFor = (reason: string): Failure => ({
  name: 'GaveUp',
  message: cutText(textOf(reason), LONGEST_MESSAGE),
})

/** Returns the failure with these decoded fields, which may be foreign. */
export function failureFrom(fields: Readonly<Record<string, unknown>>): Failure {
  const { name, message, code, statusCode, stack } = fields
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : '',
    ...codesOf(code, statusCode),
    ...(typeof stack === 'string' ? { stack } : {}),
  }
}

/** Returns the error for the caller. */
export function errorOf({ name, message, code, statusCode, stack }: Failure): Error {
  const error = new Error(message)
  error.name = name
  // A stack made here would be that of the client.
  error.stack = stack ?? `${name}: ${message}`
  return Object.assign(error, code === undefined ? {} : { code }, statusCode === undefined ? {} : { statusCode })
}

/** Returns at most `most` UTF-16 units of a text, well-formed: without half of a character at the cut. */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return text.toWellFormed()
  const isHalf = (text.charCodeAt(most - 1) & 0xfc00) === 0xd800
  return text.slice(0, isHalf ? most - 1 : most).toWellFormed()
}

function codesOf(code: unknown, statusCode: unknown): Pick<Failure, 'code' | 'statusCode'> {
  const kept = typeof code === 'string' ? cutText(code, LONGEST_NAME) : finiteOf(code)
  const status = finiteOf(statusCode)
  return { ...(kept === undefined ? {} : { code: kept }), ...(status === undefined ? {} : { statusCode: status }) }
}

/** JSON has no other numbers. */
const finiteOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/** Returns undefined if a getter or a proxy throws. */
function propertyOf(value: unknown, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'a value without a text was thrown'
  }
}
