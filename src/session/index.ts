/** The public names of takespace/session, one per line. */

export type { SessionCookieOptions } from './cookie.js'
export type { EndListener, NotifyEndOptions, SessionEnded } from './ended.js'
export type { ExpressSessionData, StoredSession } from './express.js'
export { SpaceSessionStore } from './express.js'
export { FastifySessionStore } from './fastify.js'
export type { FetchSession, FetchSessionOptions, FetchSessions } from './fetch.js'
export { fetchSessions, session } from './fetch.js'
export { newSessionId } from './id.js'
export { KoaSessionStore } from './koa.js'
export type { SessionLockOptions, SessionOptions, SessionPolicy } from './options.js'
