/** The message of a failed command: one line, without a stack or a password, that says what to do. */
import { isSpaceError } from '../errors.js'

/** The user information of a URL in a text. */
const SECRET = /(\w+:\/\/[^\s:/@]*):[^\s@]*@/g

/** Returns the text with the passwords of URLs masked: `redis://:***@host`. */
export const masked = (text: string): string => text.replace(SECRET, '$1:***@')

export function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  // The error of an app file is part of the message already.
  const because = cause && !message.includes(cause) ? ` (${cause})` : ''
  const hint = isSpaceError(error, 'SPACE_UNREACHABLE') ? ' Start a Redis, or give the address of one with --url.' : ''
  return masked(`${message}${because}${hint}`).replace(/\s*\n\s*/g, ' ')
}

/** Returns the message, and for an app file that failed while it was loaded the lines that say where. */
export function describeWhere(error: unknown): string {
  const where: unknown = error instanceof Error ? (error as { where?: unknown }).where : undefined
  const lines = Array.isArray(where) ? where.map((line) => `\n    ${masked(String(line))}`) : []
  return describe(error) + lines.join('')
}
