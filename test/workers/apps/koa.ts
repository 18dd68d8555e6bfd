/** The app in Koa 3, with the body parser that its users have. */
import { createReadStream } from 'node:fs'
import { createGzip, gzipSync } from 'node:zlib'
import { bodyParser } from '@koa/bodyparser'
import Koa, { type Context, type Middleware } from 'koa'
import { BIG, COMPRESSIBLE, COOKIES, conflict, FILE, NAME, PAGE, streamed, told } from './contents.js'
import { watch } from './events.js'

type Route = (ctx: Context) => unknown

export function koaApp(events: string[]): Koa {
  const app = new Koa({ proxy: true, keys: ['secret'] })
  // Else it writes its errors to the console.
  app.silent = true
  const routes = { ...reading(), ...sending(), ...failing() }
  const route: Middleware = async (ctx, next) => {
    watch(ctx.req, ctx.res, events)
    const method = ctx.method === 'HEAD' ? 'GET' : ctx.method
    const found = routes[`${method} ${ctx.path}`] ?? routes[`* ${ctx.path}`] ?? nested(method, ctx.path)
    if (found) await found(ctx as Context)
    else await next()
  }
  app.use(bodyParser({ enableTypes: ['json', 'form', 'text'] }))
  app.use(route)
  return app
}

function nested(method: string, path: string): Route | undefined {
  if (path.startsWith('/users/')) return (ctx) => (ctx.body = [decodeURIComponent(path.slice(7))])
  if (path.startsWith('/mounted/deep/')) return (ctx) => (ctx.body = [path.slice(14), ctx.url, ctx.originalUrl])
  if (path.startsWith('/items/') && ['PUT', 'PATCH', 'DELETE'].includes(method)) {
    return (ctx) => (ctx.body = [ctx.method, path.slice(7), ctx.request.body])
  }
  return undefined
}

function reading(): Record<string, Route> {
  return {
    '* /echo': (ctx) => {
      const { method, url, query, host, ip, protocol, headers } = ctx
      ctx.type = 'json'
      ctx.body = told({ method, url, query, host, ip, protocol, headers })
    },
    'POST /json': (ctx) => (ctx.body = { got: ctx.request.body }),
    'POST /form': (ctx) => (ctx.body = ctx.request.body ?? 'none'),
    'POST /text': (ctx) => (ctx.body = `<${ctx.request.body}>`),
    'POST /raw': async (ctx) => {
      const chunks: Buffer[] = []
      for await (const chunk of ctx.req) chunks.push(chunk)
      ctx.body = Buffer.concat(chunks)
    },
    'POST /pipe-back': (ctx) => (ctx.body = ctx.req),
    'POST /unread': (ctx) => (ctx.body = 'not looked at'),
    'GET /cookie': (ctx) => (ctx.body = [ctx.cookies.get('plain'), ctx.get('cookie')]),
    'GET /visits': (ctx) => {
      const visits = Number(ctx.cookies.get('visits') ?? 0) + 1
      ctx.cookies.set('visits', String(visits), { signed: true })
      ctx.body = visits
    },
  }
}

function sending(): Record<string, Route> {
  return {
    'GET /': (ctx) => (ctx.body = 'hello'),
    'GET /json': (ctx) => (ctx.body = { hello: 'wörld' }),
    'GET /page': (ctx) => (ctx.body = PAGE),
    'GET /stream': (ctx) => (ctx.body = streamed()),
    'GET /pipe': (ctx) => (ctx.body = createReadStream(FILE)),
    'GET /big': (ctx) => (ctx.body = BIG),
    'GET /file': (ctx) => {
      ctx.type = 'json'
      ctx.set('Accept-Ranges', 'none')
      ctx.body = createReadStream(FILE)
    },
    'GET /download': (ctx) => {
      ctx.attachment(`bücher-${NAME}`)
      ctx.body = createReadStream(FILE)
    },
    'GET /compressible': (ctx) => {
      ctx.vary('Accept-Encoding')
      ctx.type = 'text'
      ctx.body = COMPRESSIBLE
      if (ctx.acceptsEncodings('gzip', 'identity') !== 'gzip') return
      ctx.set('Content-Encoding', 'gzip')
      const gzip = createGzip()
      gzip.end(COMPRESSIBLE)
      ctx.body = ctx.method === 'HEAD' ? gzipSync(COMPRESSIBLE) : gzip
    },
    'GET /redirect': (ctx) => ctx.redirect('/elsewhere?x=1'),
    'POST /see-other': (ctx) => {
      ctx.status = 303
      ctx.redirect('/')
    },
    'GET /moved': (ctx) => {
      ctx.status = 301
      ctx.redirect('https://example.org/')
    },
    'GET /cookies': (ctx) => {
      for (const [name, value] of Object.entries(COOKIES)) ctx.cookies.set(name, encodeURIComponent(value))
      ctx.body = 'set'
    },
    'GET /private': (ctx) => {
      if (!ctx.get('authorization')) ctx.throw(401, { headers: { 'WWW-Authenticate': 'Basic realm="here"' } })
      ctx.body = 'welcome'
    },
    'GET /many-headers': (ctx) => {
      ctx.append('X-Many', ['1', '2'])
      ctx.append('X-Many', '3')
      ctx.set('X-Latin', 'caf\u00e9')
      ctx.body = 'many'
    },
    'GET /empty': (ctx) => (ctx.status = 204),
    'GET /teapot': (ctx) => (ctx.status = 418),
    'GET /etag': (ctx) => {
      ctx.status = 200
      ctx.etag = 'v1'
      if (ctx.fresh) ctx.status = 304
      else ctx.body = 'versioned'
    },
    'GET /hints': (ctx) => {
      ctx.res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      ctx.body = 'hinted'
    },
    'GET /slow': async (ctx) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      ctx.body = 'at last'
    },
  }
}

function failing(): Record<string, Route> {
  return {
    'GET /throws': () => {
      throw new Error('thrown')
    },
    'GET /rejects': () => Promise.reject(conflict()),
    'GET /late-error': async () => {
      await new Promise(setImmediate)
      throw new Error('late')
    },
    // Past Koa: the response is the handler's own.
    'GET /error-page': (ctx) => {
      ctx.respond = false
      ctx.res.writeHead(503, { 'X-Own': '1' }).end('error page')
    },
  }
}
