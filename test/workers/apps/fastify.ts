/** The app in Fastify 5: its own parsers, a plugin that loads late, hooks, a schema, streams. */
import { createReadStream } from 'node:fs'
import { createGzip } from 'node:zlib'
import Fastify, { type FastifyInstance } from 'fastify'
import { BIG, COMPRESSIBLE, COOKIES, conflict, FILE, PAGE, streamed, told } from './contents.js'
import { watch } from './events.js'

export function fastifyApp(events: string[]): FastifyInstance {
  const app = Fastify({ trustProxy: true })
  app.addHook('onRequest', async (request, reply) => watch(request.raw, reply.raw, events))
  app.addHook('onSend', async (_request, reply) => void reply.header('X-On-Send', 'seen'))
  app.addHook('onResponse', async (request, reply) => void events.push(`onResponse ${request.url} ${reply.statusCode}`))
  app.register(async (scope) => {
    // As a plugin that connects to something first.
    await new Promise(setImmediate)
    parsers(scope)
    reading(scope)
    sending(scope)
    failing(scope)
  })
  app.register(async (scope) => void scope.get('/deep/:name', async (r) => [r.params, r.url, r.originalUrl]), {
    prefix: '/mounted',
  })
  return app
}

function parsers(app: FastifyInstance): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
}

function reading(app: FastifyInstance): void {
  app.all('/echo', async (request, reply) => {
    const { method, url, query, host, ip, protocol, headers } = request
    return reply.type('application/json').send(told({ method, url, query, host, ip, protocol, headers }))
  })
  app.get('/users/:id', async (request) => request.params)
  app.post('/json', async (request) => ({ got: request.body }))
  app.post('/form', async (request) => request.body ?? 'none')
  app.post('/text', async (request) => `<${request.body}>`)
  app.post('/raw', async (request, reply) => {
    const chunks: Buffer[] = []
    for await (const chunk of request.body as AsyncIterable<Buffer>) chunks.push(chunk)
    return reply.type('application/octet-stream').send(Buffer.concat(chunks))
  })
  app.post('/pipe-back', (request, reply) => void reply.send(request.body ?? 'none'))
  app.post('/unread', async () => 'not looked at')
  app.route({
    method: ['PUT', 'PATCH', 'DELETE'],
    url: '/items/:id',
    handler: async ({ method, params, body }) => [method, params, body],
  })
  app.get('/cookie', async (request) => [request.headers.cookie])
  let visits = 0
  app.get('/visits', async (_request, reply) => {
    visits += 1
    reply.header('Set-Cookie', `visits=${visits}`)
    return visits
  })
}

function sending(app: FastifyInstance): void {
  app.get('/', async () => 'hello')
  const schema = { response: { 200: { type: 'object', properties: { hello: { type: 'string' } } } } }
  app.get('/json', { schema }, async () => ({ hello: 'wörld', hidden: 'not in the schema' }))
  app.get('/page', (_request, reply) => void reply.type('text/html; charset=utf-8').send(PAGE))
  app.get('/stream', (_request, reply) => void reply.type('text/plain').send(streamed()))
  app.get('/pipe', (_request, reply) => {
    reply.hijack()
    createReadStream(FILE).pipe(reply.raw)
  })
  app.get('/big', async () => BIG)
  app.get('/file', async (_request, reply) => reply.type('application/json').send(createReadStream(FILE)))
  app.get('/download', async (_request, reply) => {
    reply.header('Content-Disposition', 'attachment; filename="books.txt"')
    return new Response(new Blob(['from a Response']), { headers: { 'X-From': 'Response' } })
  })
  app.get('/compressible', (request, reply) => {
    reply.type('text/plain').header('Vary', 'Accept-Encoding')
    if (request.headers['accept-encoding'] !== 'gzip') return reply.send(COMPRESSIBLE)
    const gzip = createGzip()
    gzip.end(COMPRESSIBLE)
    return reply.header('Content-Encoding', 'gzip').send(gzip)
  })
  app.get('/redirect', (_request, reply) => void reply.redirect('/elsewhere?x=1'))
  app.post('/see-other', (_request, reply) => void reply.redirect('/', 303))
  app.get('/moved', (_request, reply) => void reply.redirect('https://example.org/', 301))
  app.get('/cookies', async (_request, reply) => {
    for (const [name, value] of Object.entries(COOKIES)) {
      reply.header('Set-Cookie', `${name}=${encodeURIComponent(value)}`)
    }
    return 'set'
  })
  app.get('/private', async (request, reply) => {
    if (request.headers.authorization) return 'welcome'
    return reply.code(401).header('WWW-Authenticate', 'Basic realm="here"').send({ error: 'who?' })
  })
  app.get('/many-headers', async (_request, reply) => {
    reply.header('X-Many', ['1', '2', '3']).header('X-Latin', 'caf\u00e9')
    return 'many'
  })
  app.get('/empty', (_request, reply) => void reply.code(204).send())
  app.get('/teapot', (_request, reply) => void reply.code(418).send('short and stout'))
  app.get('/etag', async (request, reply) => {
    reply.header('ETag', '"v1"')
    if (request.headers['if-none-match'] === '"v1"') return reply.code(304).send()
    return 'versioned'
  })
  app.get('/hints', async (_request, reply) => {
    reply.writeEarlyHints({ link: '</a.css>; rel=preload' })
    return 'hinted'
  })
  app.get('/slow', async () => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return 'at last'
  })
}

function failing(app: FastifyInstance): void {
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  app.get('/rejects', async () => {
    throw conflict()
  })
  app.get('/late-error', async () => {
    await new Promise(setImmediate)
    throw new Error('late')
  })
  app.register(async (scope) => {
    scope.setErrorHandler((error, _request, reply) => {
      reply.code(503).send(`error page: ${(error as Error).message}`)
    })
    scope.get('/error-page', async () => {
      throw new Error('thrown')
    })
  })
}
