/** What a person is told when a command fails: one line, without a stack, that says what to do, and without a password. */
import { isSpaceError } from '../errors.js'

/** The user information of a URL, wherever in a text it stands. */
const SECRET = /(\w+:\/\/[^\s:/@]*):[^\s@]*@/g

/** A Redis URL, or any text with some in it, fit to be shown: `redis://:***@host`. */
export const masked = (text: string): string => text.replace(SECRET, '$1:***@')

export function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  // An app file's error is part of the message already.
  const because = cause && !message.includes(cause) ? ` (${cause})` : ''
  const hint = isSpaceError(error, 'SPACE_UNREACHABLE') ? ' Start a Redis, or give the address of one with --url.' : ''
  return masked(`${message}${because}${hint}`).replace(/\s*\n\s*/g, ' ')
}

/** The same, and below it, for an app file that failed while it was loaded, where: file, line and the calls that led there. */
export function describeWhere(error: unknown): string {
  const where: unknown = error instanceof Error ? (error as { where?: unknown }).where : undefined
  const lines = Array.isArray(where) ? where.map((line) => `\n    ${masked(String(line))}`) : []
  return describe(error) + lines.join('')
}
