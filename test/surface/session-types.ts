/** What the compiler promises to those who use sessions: this file is checked by `tsc -p test/tsconfig.json`, and never run. */
import fastifySession, { type FastifySessionObject } from '@fastify/session'
import expressSession from 'express-session'
import Fastify from 'fastify'
import { Hono } from 'hono'
import type { Space } from '../../src/index.js'
import {
  FastifySessionStore,
  fetchSessions,
  KoaSessionStore,
  SpaceSessionStore,
  session,
} from '../../src/session/index.js'

declare module 'express-session' {
  interface SessionData {
    user: string
    visits: number
  }
}

/** Each store is what its framework asks for. */
export function stores(space: Space): void {
  const store = new SpaceSessionStore({ space, userOf: (session) => session.user })
  // @ts-expect-error: a session of express-session has no such attribute
  new SpaceSessionStore({ space, userOf: (session) => session.usre })
  // @ts-expect-error: a user has a name or a number
  new SpaceSessionStore({ space, userOf: (session) => session.cookie })
  new KoaSessionStore({ space, userOf: (session: { user?: string }) => session.user })
  new FastifySessionStore({ space, userOf: ({ user }: FastifySessionObject & { user?: string }) => user })
  expressSession({ store, secret: 'secret' })
  const app = Fastify()
  app.register(fastifySession, { store: new FastifySessionStore({ space, policy: 'lock' }), secret: 'secret' })
  app.addHook('onResponse', (request) => new FastifySessionStore({ space }).release(request.session))
  // @ts-expect-error: no such policy
  new SpaceSessionStore({ space, policy: 'best' })
}

interface Attributes {
  user: string
  cart: string[]
}

/** A fetch session has types where the program names them. */
export function attributes(space: Space, request: Request): void {
  fetchSessions<Partial<Attributes>>({ space, secret: 'a secret of 16 bytes', userOf: ({ user }) => user })
  const open = session<Attributes>(request)
  const cart: string[] | undefined = open.get('cart')
  open.set('cart', [...(cart ?? []), 'tea'])
  open.set('user', undefined)
  open.delete('user')
  // @ts-expect-error: no such attribute
  open.get('crat')
  // @ts-expect-error: a list of texts
  open.set('cart', 'tea')
  // @ts-expect-error: it may not be set
  open.get('user').length

  const untyped = session(request)
  const list: string[] | undefined = untyped.get<string[]>('cart')
  untyped.set('cart', list)
  // @ts-expect-error: of unknown type
  untyped.get('cart').length
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
