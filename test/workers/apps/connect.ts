/** The app in connect, with the middleware that goes into it: body-parser's own parsers (as Express carries them), send, compression. */
import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import compression from 'compression'
import connect from 'connect'
import express from 'express'
import session from 'express-session'
import send from 'send'
import { BIG, COMPRESSIBLE, COOKIES, conflict, FILE, PAGE, streamed, told } from './contents.js'
import { watch } from './events.js'

type Req = IncomingMessage & { originalUrl?: string; body?: unknown; session?: { visits?: number } }
type Next = (error?: unknown) => void
type Step = (req: Req, res: ServerResponse, next: Next) => void

export function connectApp(events: string[]): connect.Server {
  const app = connect()
  const on = (method: string, path: string, ...steps: Step[]): void => {
    for (const step of steps) {
      app.use(path, (req: Req, res: ServerResponse, next: Next) => {
        const rest = req.url === '/' || req.url?.startsWith('/?')
        const fits = req.method === method || (req.method === 'HEAD' && method === 'GET') || method === ''
        if (fits && (rest || path === '/items' || path === '/mounted')) step(req, res, next)
        else next()
      })
    }
  }
  app.use((req: Req, res: ServerResponse, next: Next) => {
    watch(req, res, events)
    next()
  })
  app.use(compression() as never)
  reading(on)
  sending(on)
  on('GET', '/throws', () => {
    throw new Error('thrown')
  })
  on('GET', '/error-page', (_req, _res, next) => next(new Error('thrown')))
  on('GET', '/rejects', (_req, _res, next) => void Promise.reject(conflict()).catch(next))
  on('GET', '/late-error', (_req, _res, next) => void setTimeout(next, 1, new Error('late')))
  app.use((error: Error, req: Req, res: ServerResponse, next: Next) => {
    if (req.url !== '/error-page') return next(error)
    res.statusCode = 503
    res.end(`error page: ${error.message}`)
  })
  return app
}

type On = (method: string, path: string, ...steps: Step[]) => void

const reply = (res: ServerResponse, value: unknown): void => {
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify(value))
}

function reading(on: On): void {
  on('', '/echo', (req, res) => {
    const { method = '', originalUrl = '', headers, socket } = req
    const query = new URL(originalUrl, 'http://x').search
    const parts = { method, url: originalUrl, query, host: headers.host, ip: socket.remoteAddress, protocol: 'http' }
    res.end(told({ ...parts, headers }))
  })
  on('POST', '/json', express.json() as never, (req, res) => reply(res, { got: req.body }))
  on('POST', '/form', express.urlencoded({ extended: true }) as never, (req, res) => reply(res, req.body ?? 'none'))
  on('POST', '/text', express.text() as never, (req, res) => res.end(`<${String(req.body)}>`))
  on('POST', '/raw', express.raw({ limit: '2mb' }) as never, (req, res) => res.end(req.body))
  on('POST', '/pipe-back', (req, res) => void req.pipe(res))
  on('POST', '/unread', (_req, res) => void res.end('not looked at'))
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    on(method, '/items', express.json() as never, (req, res) => reply(res, [req.method, req.url, req.body]))
  }
  on('GET', '/mounted', (req, res, next) => {
    if (req.url?.startsWith('/deep/')) reply(res, [req.url, req.originalUrl])
    else next()
  })
  on('GET', '/cookie', (req, res) => void res.end(req.headers.cookie))
  const keep = { secret: 'keyboard cat', resave: false, saveUninitialized: true, genid: () => 'fixed' }
  on('GET', '/visits', session(keep) as never, (req, res) => {
    const { session = {} } = req
    session.visits = (session.visits ?? 0) + 1
    res.end(String(session.visits))
  })
}

function sending(on: On): void {
  on('GET', '/json', (_req, res) => reply(res, { hello: 'wörld' }))
  on('GET', '/page', (_req, res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE))
  on('GET', '/stream', (_req, res) => void streamed().pipe(res))
  on('GET', '/pipe', (_req, res) => void createReadStream(FILE).pipe(res))
  on('GET', '/big', (_req, res) => void res.end(BIG))
  on('GET', '/file', (req, res) => void send(req, FILE).pipe(res))
  on('GET', '/download', (req, res) => {
    res.setHeader('Content-Disposition', 'attachment; filename="books.txt"')
    send(req, FILE).pipe(res)
  })
  on('GET', '/compressible', (_req, res) => {
    res.setHeader('Content-Type', 'text/plain')
    res.end(COMPRESSIBLE)
  })
  on('GET', '/redirect', (_req, res) => void res.writeHead(302, { Location: '/elsewhere?x=1' }).end())
  on('POST', '/see-other', (_req, res) => void res.writeHead(303, { Location: '/' }).end())
  on('GET', '/moved', (_req, res) => void res.writeHead(301, { Location: 'https://example.org/' }).end('moved'))
  on('GET', '/cookies', (_req, res) => {
    res.setHeader(
      'Set-Cookie',
      Object.entries(COOKIES).map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
    )
    res.end('set')
  })
  on('GET', '/private', (req, res) => {
    if (req.headers.authorization) return void res.end('welcome')
    res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="here"' }).end()
  })
  on('GET', '/many-headers', (_req, res) => {
    res.writeHead(200, { 'X-Many': ['1', '2', '3'], 'X-Latin': 'caf\u00e9', Vary: 'Origin' } as never).end('many')
  })
  on('GET', '/empty', (_req, res) => void res.writeHead(204).end())
  on('GET', '/teapot', (_req, res) => void res.writeHead(418).end('short and stout'))
  on('GET', '/etag', (req, res) => {
    const known = req.headers['if-none-match'] === '"v1"'
    res.writeHead(known ? 304 : 200, { ETag: '"v1"' }).end(known ? undefined : 'versioned')
  })
  on('GET', '/hints', (_req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    res.end('hinted')
  })
  on('GET', '/slow', (_req, res) => void setTimeout(() => res.end('at last'), 5))
  on('GET', '/', (req, res, next) => (req.originalUrl === '/' ? void res.end('hello') : next()))
}
