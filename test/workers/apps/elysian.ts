/** An app as Elysia's are: a class instance with many methods beside `fetch`, which needs its `this`, and no framework under it. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { BIG, COMPRESSIBLE, conflict, FILE, PAGE, pieces, told } from './contents.js'

type Route = (request: Request, url: URL) => Response | Promise<Response>

export class ElysianApp {
  readonly routes = new Map<string, Route>()
  visits = 0

  constructor() {
    this.sending()
    this.reading()
    this.failing()
  }

  sending(): void {
    this.route('GET /', () => new Response('hello'))
    this.route('GET /json', () => Response.json({ hello: 'wörld' }))
    this.route('GET /page', () => new Response(PAGE, { headers: { 'content-type': 'text/html' } }))
    this.route('GET /stream', () => new Response(ReadableStream.from(pieces()).pipeThrough(new TextEncoderStream())))
    this.route('GET /big', () => new Response(new Uint8Array(BIG)))
    this.route('GET /compressible', () => {
      const body = new Blob([COMPRESSIBLE]).stream().pipeThrough(new CompressionStream('gzip'))
      return new Response(body, { headers: { 'content-encoding': 'gzip', vary: 'accept-encoding' } })
    })
    this.route('GET /redirect', () => new Response(null, { status: 302, headers: { location: '/elsewhere' } }))
    this.route('GET /cookies', () => {
      const headers = new Headers([
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2, still b; Path=/'],
      ])
      return new Response('set', { headers })
    })
    this.route('GET /visits', () => Response.json(++this.visits))
    this.route('GET /empty', () => new Response(null, { status: 204 }))
    this.route('GET /teapot', () => new Response('short and stout', { status: 418, statusText: 'Stout' }))
    this.route('GET /many-headers', () => new Response('many', { headers: { 'x-latin': 'caf\u00e9', 'x-a': '1' } }))
    this.route('GET /moved', () => Response.redirect('https://example.org/', 301))
    this.route('POST /see-other', () => new Response(null, { status: 303, headers: { location: '/' } }))
    this.route('GET /private', ({ headers }) => {
      if (headers.has('authorization')) return new Response('welcome')
      return new Response('who?', { status: 401, headers: { 'www-authenticate': 'Basic realm="here"' } })
    })
    this.route('GET /etag', ({ headers }) => {
      const status = headers.get('if-none-match') === '"v1"' ? 304 : 200
      return new Response(status === 304 ? null : 'versioned', { status, headers: { etag: '"v1"' } })
    })
    this.route('GET /file', async () => new Response(new Blob([await readFile(FILE)], { type: 'application/json' })))
    this.route('GET /pipe', () => new Response(Readable.toWeb(createReadStream(FILE)) as ReadableStream))
    this.route('GET /slow', async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return new Response('at last')
    })
  }

  reading(): void {
    this.route('* /echo', ({ method, headers }, { host, pathname, search, protocol }) => {
      const parts = { method, url: pathname + search, query: search, host, ip: undefined, protocol }
      return new Response(told({ ...parts, headers: Object.fromEntries(headers) }))
    })
    this.route('POST /json', async (request) => Response.json({ got: await request.json().catch(() => 'not JSON') }))
    this.route('POST /form', async (request) => {
      const form = await request.formData().catch(() => new FormData())
      return Response.json([...form])
    })
    this.route('POST /text', async (request) => new Response(`<${await request.text()}>`))
    this.route('POST /raw', async (request) => new Response(await request.arrayBuffer()))
    this.route('POST /pipe-back', (request) => new Response(request.body))
    this.route('POST /unread', () => new Response('not looked at'))
    this.route('GET /cookie', ({ headers }) => new Response(headers.get('cookie')))
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      this.route(`${method} /items/7`, async (request) => Response.json([method, await request.text()]))
    }
  }

  failing(): void {
    this.route('GET /throws', () => {
      throw new Error('thrown')
    })
    this.route('GET /rejects', () => Promise.reject(conflict()))
    this.route('GET /late-error', async () => {
      await new Promise(setImmediate)
      throw new Error('late')
    })
    this.route('GET /error-page', () => new Response('error page', { status: 503 }))
  }

  route(name: string, route: Route): void {
    this.routes.set(name, route)
  }

  handle(): never {
    throw new Error('fetch is the one to be called')
  }

  listen(): never {
    throw new Error('fetch is the one to be called')
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = this.routes.get(`${method} ${url.pathname}`) ?? this.routes.get(`* ${url.pathname}`)
    if (!route) return new Response('nowhere', { status: 404 })
    try {
      return await route(request, url)
    } catch (error) {
      const { message, status = 500 } = error as Error & { status?: number }
      return new Response(message, { status })
    }
  }
}
