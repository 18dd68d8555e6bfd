/** The app in Express, 4 and 5 alike, with the middleware that its users have: body parsers, express-session, compression. */
import { createReadStream } from 'node:fs'
import compression from 'compression'
import type express from 'express'
import type { ErrorRequestHandler, Express } from 'express'
import session from 'express-session'
import { BIG, COMPRESSIBLE, COOKIES, conflict, FILE, PAGE, streamed, told } from './contents.js'
import { watch } from './events.js'

declare module 'express-session' {
  interface SessionData {
    visits: number
  }
}

export function expressApp(framework: typeof express, events: string[]): Express {
  const app = framework()
  app.set('trust proxy', true)
  app.use((req, res, next) => {
    watch(req, res, events)
    next()
  })
  app.use(compression())
  reading(app, framework)
  sending(app)
  failing(app)

  const router = framework.Router()
  router.get('/deep/:name', (req, res) => void res.json([req.params.name, req.url, req.originalUrl, req.baseUrl]))
  app.use('/mounted', router)
  const errorPage: ErrorRequestHandler = (error, req, res, next) => {
    if (req.path === '/error-page') res.status(503).send(`error page: ${error.message}`)
    else next(error)
  }
  app.use(errorPage)
  return app
}

function reading(app: Express, framework: typeof express): void {
  app.all('/echo', (req, res) => {
    const { method, url, query, hostname: host, ip, protocol, headers } = req
    res.type('json').send(told({ method, url, query, host, ip, protocol, headers }))
  })
  app.get('/users/:id', (req, res) => void res.json(req.params))
  app.post('/json', framework.json(), (req, res) => void res.json({ got: req.body }))
  app.post('/form', framework.urlencoded({ extended: true }), (req, res) => void res.json(req.body ?? 'none'))
  app.post('/text', framework.text(), (req, res) => void res.send(`<${String(req.body)}>`))
  app.post('/raw', framework.raw({ limit: '2mb' }), (req, res) => void res.type('bin').send(req.body))
  app.post('/pipe-back', (req, res) => void req.pipe(res))
  app.post('/unread', (_req, res) => void res.send('not looked at'))
  for (const method of ['put', 'patch', 'delete'] as const) {
    app[method]('/items/:id', framework.json(), (req, res) => void res.json([req.method, req.params.id, req.body]))
  }
  app.get('/cookie', (req, res) => void res.send(req.get('cookie')))
  const keep = { secret: 'keyboard cat', resave: false, saveUninitialized: true, genid: () => 'fixed' }
  app.get('/visits', session(keep), (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json(req.session.visits)
  })
}

function sending(app: Express): void {
  app.get('/', (_req, res) => void res.send('hello'))
  app.get('/json', (_req, res) => void res.json({ hello: 'wörld' }))
  app.get('/page', (_req, res) => void res.send(PAGE))
  app.get('/stream', (_req, res) => void streamed().pipe(res.type('text')))
  app.get('/pipe', (_req, res) => void createReadStream(FILE).pipe(res.type('text')))
  app.get('/big', (_req, res) => void res.send(BIG))
  app.get('/file', (_req, res) => void res.sendFile(FILE))
  app.get('/download', (_req, res) => void res.download(FILE, 'bücher.txt'))
  app.get('/compressible', (_req, res) => void res.send(COMPRESSIBLE))
  app.get('/redirect', (_req, res) => void res.redirect('/elsewhere?x=1'))
  app.post('/see-other', (_req, res) => void res.redirect(303, '/'))
  app.get('/moved', (_req, res) => void res.redirect(301, 'https://example.org/'))
  app.get('/cookies', (_req, res) => {
    for (const [name, value] of Object.entries(COOKIES)) res.cookie(name, value, { httpOnly: true, path: '/x' })
    res.clearCookie('gone').send('set')
  })
  app.get('/private', (req, res) => {
    if (req.get('authorization')) res.send('welcome')
    else res.set('WWW-Authenticate', 'Basic realm="here"').sendStatus(401)
  })
  app.get('/many-headers', (_req, res) => {
    res.append('X-Many', ['1', '2']).append('X-Many', '3').vary('Origin').links({ next: '/2' })
    res.set('X-Latin', 'caf\u00e9').set('Cache-Control', 'no-store').send('many')
  })
  app.get('/empty', (_req, res) => void res.status(204).end())
  app.get('/teapot', (_req, res) => void res.sendStatus(418))
  app.get('/etag', (_req, res) => void res.set('ETag', '"v1"').send('versioned'))
  app.get('/hints', (_req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    res.send('hinted')
  })
  app.get('/slow', (_req, res) => void setTimeout(() => res.send('at last'), 5))
}

function failing(app: Express): void {
  app.get(['/throws', '/error-page'], () => {
    throw new Error('thrown')
  })
  // Express 4 does not look at what a handler returns.
  app.get('/rejects', (_req, _res, next) => void Promise.reject(conflict()).catch(next))
  app.get('/late-error', (_req, res, next) => {
    res.set('X-Before', '1')
    setTimeout(() => next(new Error('late')), 1)
  })
}
