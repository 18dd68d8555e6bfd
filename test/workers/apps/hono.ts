/** The app in Hono 4, with middleware of its own: compress, serve-static, cookies, basic auth. */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { HTTPException } from 'hono/http-exception'
import { BIG, COMPRESSIBLE, COOKIES, FILE, FOLDER, NAME, PAGE, pieces, told } from './contents.js'

const relative = FOLDER.startsWith(process.cwd()) ? '.' : FOLDER
const webStream = (stream: Readable): ReadableStream => Readable.toWeb(stream) as ReadableStream

export function honoApp(): Hono {
  const app = new Hono()
  reading(app)
  sending(app)
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  app.get('/rejects', async () => {
    throw new HTTPException(409, { message: 'It is taken.' })
  })
  app.get('/late-error', async () => {
    await new Promise(setImmediate)
    throw new Error('late')
  })
  app.get('/error-page', (c) => c.html('<p>error page', 503))
  // Else it writes its errors to the console.
  app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text('Oops', 500)))
  const mounted = new Hono().get('/deep/:name', (c) =>
    c.json([c.req.param('name'), c.req.url.replace(/:\d+/, ''), c.req.path]),
  )
  app.route('/mounted', mounted)
  return app
}

function reading(app: Hono): void {
  app.all('/echo', (c) => {
    const { method, url } = c.req
    const { host, pathname, search, protocol } = new URL(url)
    const parts = { method, url: pathname + search, query: c.req.queries(), host, ip: undefined, protocol }
    return c.body(told({ ...parts, headers: c.req.header() }), 200, { 'Content-Type': 'application/json' })
  })
  app.get('/users/:id', (c) => c.json(c.req.param('id')))
  app.post('/json', async (c) => {
    try {
      const got = await c.req.json()
      return c.json({ got: typeof got === 'string' ? got.length : got })
    } catch {
      return c.text('not JSON', 400)
    }
  })
  app.post('/form', async (c) => c.json(await c.req.parseBody()))
  app.post('/text', async (c) => c.text(`<${await c.req.text()}>`))
  app.post('/raw', async (c) => c.body(await c.req.arrayBuffer()))
  app.post('/pipe-back', (c) => new Response(c.req.raw.body))
  app.post('/unread', (c) => c.text('not looked at'))
  app.on(['PUT', 'PATCH', 'DELETE'], '/items/:id', async (c) =>
    c.json([c.req.method, c.req.param('id'), await c.req.text()]),
  )
  app.get('/cookie', (c) => c.json(getCookie(c)))
  let visits = 0
  app.get('/visits', (c) => {
    visits += 1
    setCookie(c, 'visits', String(visits), { httpOnly: true })
    return c.json(visits)
  })
}

function sending(app: Hono): void {
  app.get('/', (c) => c.text('hello'))
  app.get('/json', (c) => c.json({ hello: 'wörld' }))
  app.get('/page', (c) => c.html(PAGE))
  app.get('/stream', (c) => c.body(webStream(Readable.from(pieces()).map((piece: string) => Buffer.from(piece)))))
  app.get('/pipe', (c) => c.body(webStream(createReadStream(FILE))))
  app.get('/big', (c) => c.body(new Uint8Array(BIG)))
  app.get('/file', serveStatic({ root: relative, rewriteRequestPath: () => NAME }))
  app.get('/download', (c) => {
    c.header('Content-Disposition', 'attachment; filename="books.txt"')
    return c.body(webStream(createReadStream(FILE)))
  })
  app.use('/compressible', compress())
  app.get('/compressible', (c) => c.text(COMPRESSIBLE))
  app.get('/redirect', (c) => c.redirect('/elsewhere?x=1'))
  app.post('/see-other', (c) => c.redirect('/', 303))
  app.get('/moved', (c) => c.redirect('https://example.org/', 301))
  app.get('/cookies', (c) => {
    for (const [name, value] of Object.entries(COOKIES)) setCookie(c, name, value, { httpOnly: true, path: '/x' })
    deleteCookie(c, 'gone')
    return c.text('set')
  })
  app.get('/private', (c) => {
    if (c.req.header('authorization')) return c.text('welcome')
    return c.text('who?', 401, { 'WWW-Authenticate': 'Basic realm="here"' })
  })
  app.get('/many-headers', (c) => {
    for (const value of ['1', '2', '3']) c.header('X-Many', value, { append: true })
    return c.text('many', 200, { 'X-Latin': 'caf\u00e9', 'Cache-Control': 'no-store' })
  })
  app.get('/empty', (c) => c.body(null, 204))
  app.get('/teapot', (c) => c.text('short and stout', 418))
  app.get('/etag', (c) => {
    c.header('ETag', '"v1"')
    return c.req.header('if-none-match') === '"v1"' ? c.body(null, 304) : c.text('versioned')
  })
  app.get('/hints', (c) => c.text('hinted'))
  app.get('/slow', async (c) => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return c.text('at last')
  })
}
