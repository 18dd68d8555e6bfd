/** Session ids: what the browser has is a secret, so the space knows it by a hash alone. */
import { randomBytes } from 'node:crypto'
import { digest } from '../runtime/digest.js'

/**
 * A new session id: 192 random bits.
 * @example app.use(session({ store, genid: newSessionId }, app)) // koa-session, whose own are UUIDs of 122 bits
 */
export const newSessionId = (): string => randomBytes(24).toString('base64url')

/** 162 bits of SHA-256, behind what tells session entries from others. From it nobody finds the way back to the id. */
export const entryIdOf = (sessionId: string): string => `$${digest(sessionId)}`
