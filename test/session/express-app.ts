/** An app of the real Express with the real express-session over a store of the space, and its routes. */
import { afterEach, expect } from '@jest/globals'
import express, { type Express, type Request } from 'express'
import expressSession, { type SessionData, type SessionOptions } from 'express-session'
import { SpaceSessionStore } from '../../src/session/index.js'
import type { Space } from '../../src/space.js'
import type { Opened } from '../support/every-engine.js'
import { type Server, serve } from './serving.js'

const SECRET = 'a secret of the test'
export type Bag = SessionData & Record<string, unknown>
export const bag = (req: Request): Bag => req.session as unknown as Bag

export const storeOf = (space: Space, more: object = {}) => new SpaceSessionStore({ space, ...more })

/** Returns a function that serves an app over a store. Servers end after each test, which fails if the space is not in order then. */
export function servers(opened: () => Opened) {
  const servers: Server[] = []
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
    expect(await opened().violations()).toEqual([])
  })

  return async function served(
    store: SpaceSessionStore,
    routes: (app: Express) => void,
    more: Partial<SessionOptions> = {},
  ): Promise<string> {
    const app = express()
    app.set('env', 'test')
    app.use(expressSession({ store, secret: SECRET, resave: false, saveUninitialized: false, ...more }))
    routes(app)
    const server = await serve(app)
    servers.push(server)
    return server.url
  }
}

/** The routes of a small app. */
export const routes = (app: Express): void => {
  app.get('/get', (req, res) => void res.json(req.session))
  app.get('/set/:name/:value', (req, res) => {
    bag(req)[req.params.name] = req.params.value
    res.send(req.sessionID)
  })
  app.get('/count', (req, res) => {
    bag(req).n = Number(bag(req).n ?? 0) + 1
    res.send(String(bag(req).n))
  })
  app.get('/login/:user', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      bag(req).user = req.params.user
      res.send(req.sessionID)
    })
  })
  app.get('/logout', (req, res, next) => req.session.destroy((error) => (error ? next(error) : res.send('gone'))))
  app.get('/id', (req, res) => void res.send(req.sessionID))
}

/** Returns the cookie of a session as express-session keeps it. */
export const cookie = (maxAge?: number) => ({
  originalMaxAge: maxAge ?? null,
  ...(maxAge ? { expires: new Date(Date.now() + maxAge) } : {}),
})
