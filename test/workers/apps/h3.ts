/** The app in h3 2: what handlers return becomes the response; its own static files, cookies and errors. */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { getCookie, getQuery, H3, HTTPError, readBody, redirect, serveStatic, setCookie } from 'h3'
import { BIG, COMPRESSIBLE, COOKIES, FILE, PAGE, pieces, told } from './contents.js'

const webStream = (stream: Readable): ReadableStream => Readable.toWeb(stream) as ReadableStream

export function h3App(): H3 {
  const app = new H3({ silent: true })
  reading(app)
  sending(app)
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  app.get('/rejects', async () => {
    throw new HTTPError({ status: 409, message: 'It is taken.', data: { by: 'ann' } })
  })
  app.get('/late-error', async () => {
    await new Promise(setImmediate)
    throw new Error('late')
  })
  app.get('/error-page', () => new Response('error page', { status: 503 }))
  app.mount(
    '/mounted',
    new H3().get('/deep/:name', (event) => [event.context.params, event.url.pathname]),
  )
  return app
}

function reading(app: H3): void {
  app.all('/echo', (event) => {
    const { method, headers } = event.req
    const { host, pathname, search, protocol } = event.url
    const parts = { method, url: pathname + search, query: getQuery(event), host, ip: undefined, protocol }
    return JSON.parse(told({ ...parts, headers: Object.fromEntries(headers) }))
  })
  app.get('/users/:id', (event) => event.context.params)
  app.post('/json', async (event) => ({ got: (await readBody(event)) ?? 'none' }))
  app.post('/form', async (event) => (await readBody(event)) ?? 'none')
  app.post('/text', async (event) => `<${await event.req.text()}>`)
  app.post('/raw', async (event) => new Uint8Array(await event.req.arrayBuffer()))
  app.post('/pipe-back', (event) => event.req.body ?? 'none')
  app.post('/unread', () => 'not looked at')
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    app.on(method as 'PUT', '/items/:id', async (event) => [method, event.context.params, await event.req.text()])
  }
  app.get('/cookie', (event) => [getCookie(event, 'plain'), getCookie(event, 'words')])
  let visits = 0
  app.get('/visits', (event) => {
    visits += 1
    setCookie(event, 'visits', String(visits), { httpOnly: true })
    return { visits }
  })
}

function sending(app: H3): void {
  app.get('/', () => 'hello')
  app.get('/json', () => ({ hello: 'wörld' }))
  app.get('/page', (event) => {
    event.res.headers.set('Content-Type', 'text/html; charset=utf-8')
    return PAGE
  })
  app.get('/stream', () => webStream(Readable.from(pieces()).map((piece: string) => Buffer.from(piece))))
  app.get('/pipe', () => webStream(createReadStream(FILE)))
  app.get('/big', () => new Uint8Array(BIG))
  app.get('/file', (event) =>
    serveStatic(event, {
      getContents: () => readFile(FILE),
      getMeta: async () => {
        const { size, mtimeMs } = await stat(FILE)
        return { size, mtime: mtimeMs, type: 'application/json' }
      },
    }),
  )
  app.get('/download', (event) => {
    event.res.headers.set('Content-Disposition', 'attachment; filename="books.txt"')
    return webStream(createReadStream(FILE))
  })
  app.get('/compressible', (event) => {
    if (event.req.headers.get('accept-encoding') !== 'gzip') return COMPRESSIBLE
    event.res.headers.set('Content-Encoding', 'gzip')
    return new Blob([COMPRESSIBLE]).stream().pipeThrough(new CompressionStream('gzip'))
  })
  app.get('/redirect', () => redirect('/elsewhere?x=1'))
  app.post('/see-other', () => redirect('/', 303))
  app.get('/moved', () => redirect('https://example.org/', 301))
  app.get('/cookies', (event) => {
    for (const [name, value] of Object.entries(COOKIES)) setCookie(event, name, value, { httpOnly: true, path: '/x' })
    return 'set'
  })
  app.get('/private', (event) => {
    if (event.req.headers.has('authorization')) return 'welcome'
    event.res.status = 401
    event.res.headers.set('WWW-Authenticate', 'Basic realm="here"')
    return { error: 'who?' }
  })
  app.get('/many-headers', (event) => {
    for (const value of ['1', '2', '3']) event.res.headers.append('X-Many', value)
    event.res.headers.set('X-Latin', 'caf\u00e9')
    return 'many'
  })
  app.get('/empty', () => null)
  app.get('/teapot', () => new Response('short and stout', { status: 418, statusText: 'Stout' }))
  app.get('/etag', (event) => {
    const status = event.req.headers.get('if-none-match') === '"v1"' ? 304 : 200
    return new Response(status === 304 ? null : 'versioned', { status, headers: { ETag: '"v1"' } })
  })
  app.get('/hints', () => 'hinted')
  app.get('/slow', async () => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return 'at last'
  })
}
