/** What the compiler promises to those who use sessions: this file is checked by `tsc -p test/tsconfig.json`, and never run. */
import fastifySession from '@fastify/session'
import expressSession from 'express-session'
import Fastify from 'fastify'
import { Hono } from 'hono'
import type { Space } from '../../src/index.js'
import { FastifySessionStore, fetchSessions, SpaceSessionStore, session } from '../../src/session/index.js'

/** Each store is what its framework asks for. */
export function stores(space: Space): void {
  const store = new SpaceSessionStore({ space, userOf: (session) => session.user })
  expressSession({ store, secret: 'secret' })
  const app = Fastify()
  app.register(fastifySession, { store: new FastifySessionStore({ space, policy: 'lock' }), secret: 'secret' })
  app.addHook('onResponse', (request) => new FastifySessionStore({ space }).release(request.session))
  // @ts-expect-error: no such policy
  new SpaceSessionStore({ space, policy: 'best' })
}

export function requests(space: Space): void {
  const sessions = fetchSessions({ space, secret: 'secret', cookie: { sameSite: 'strict' } })
  const app = new Hono()
  app.use(sessions.hono)
  app.get('/', (c) => {
    const n: number | undefined = session(c.req.raw).get<number>('n')
    session(c.req.raw).set('n', (n ?? 0) + 1)
    return c.text('counted')
  })
  const served: { fetch(request: Request): Promise<Response> } = {
    fetch: sessions.wrap((request) => app.fetch(request)),
  }
  void served
}
