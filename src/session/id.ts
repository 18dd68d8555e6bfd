/** Session ids: the browser's id is a secret, so the space stores a hash. */
import { randomBytes } from 'node:crypto'
import { digest } from '../runtime/digest.js'

/**
 * Returns a new session id: 192 random bits.
 * @example app.use(session({ store, genid: newSessionId }, app)) // koa-session, whose own are UUIDs of 122 bits
 */
export const newSessionId = (): string => randomBytes(24).toString('base64url')

/**
 * Returns the entry's id: 162 bits of SHA-256, which does not reveal the session id, after the prefix of session
 * entries.
 */
export const entryIdOf = (sessionId: string): string => `$${digest(sessionId)}`
