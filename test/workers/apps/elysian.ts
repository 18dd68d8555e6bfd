/** An app as Elysia's are: a class instance with many methods beside `fetch`, which needs its `this`, and no framework under it. */
import { BIG, COMPRESSIBLE, conflict, PAGE, pieces, told } from './contents.js'

type Route = (request: Request, url: URL) => Response | Promise<Response>

export class ElysianApp {
  readonly routes = new Map<string, Route>()
  visits = 0

  constructor() {
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
    this.route('GET /throws', () => {
      throw new Error('thrown')
    })
    this.route('GET /rejects', () => Promise.reject(conflict()))
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
