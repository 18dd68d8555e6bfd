/** FastifySessionStore: a store of @fastify/session, with sessions in a space. */
import { SpaceSessionStore, type StoredSession } from './express.js'
import type { SessionOptions } from './options.js'
import type { Loaded } from './sessions.js'
import type { SessionSnapshot } from './snapshot.js'

/**
 * @fastify/session copies a loaded session property by property, so the snapshot is one of them. It is never in the
 *   session's JSON.
 */
const SAVED = '$saved'

/**
 * A store for @fastify/session, with all methods of SpaceSessionStore.
 *
 * @example
 * app.register(fastifyCookie)
 * app.register(fastifySession, { store: new FastifySessionStore({ space }), secret, cookie: { maxAge: 30 * 60_000 } })
 *
 * // With the policy `lock`, since this framework does not tell its store of a request that changed nothing:
 * app.addHook('onResponse', (request) => store.release(request.session))
 */
export class FastifySessionStore extends SpaceSessionStore {
  /**
   * @param options typed if `userOf` names the type of its parameter: `userOf: (session: Session) => session.userId`
   */
  constructor(options: SessionOptions) {
    super(options)
  }

  protected override keep(loaded: Loaded | null): StoredSession | null {
    const session = super.keep(loaded)
    if (session && loaded) session[SAVED] = loaded.snapshot
    return session
  }

  protected override snapshotOf(session: object): SessionSnapshot | undefined {
    return ((session as StoredSession)[SAVED] as SessionSnapshot | undefined) ?? super.snapshotOf(session)
  }

  protected override attributesOf(session: StoredSession): object {
    const { [SAVED]: _, ...attributes } = session
    return attributes
  }
}
