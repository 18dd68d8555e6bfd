/** The apps that the conformance suite serves twice: an Express app that uses what people use, a plain function, and a { fetch } app. */
import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import express, { type ErrorRequestHandler, type Express } from 'express'
import session from 'express-session'

const FILE = fileURLToPath(new URL('../../package.json', import.meta.url))

declare module 'express-session' {
  interface SessionData {
    visits: number
  }
}

export function expressApp(): Express {
  const app = express()
  app.set('trust proxy', true)
  app.get('/', (_req, res) => void res.send('hello'))
  app.all('/echo', (req, res) => {
    const { method, url, originalUrl, httpVersion, httpVersionMajor, headers, query, ip, protocol, hostname, secure } =
      req
    // The connection to a test is one; what a gateway makes of it is the gateway's.
    const { connection, ...kept } = headers
    const raw = req.rawHeaders.filter((_, i, all) => all[i - (i % 2)]?.toLowerCase() !== 'connection')
    const readable = [req.readable, req.socket.readable, req.socket.writable, req.aborted, req.destroyed]
    res.json({
      ...{ method, url, originalUrl, httpVersion, httpVersionMajor, query, ip, protocol, hostname, secure },
      ...{ headers: kept, raw, readable, distinct: req.headersDistinct['x-twice'], connection: undefined },
    })
  })
  app.post('/json', express.json(), (req, res) => void res.json({ got: req.body }))
  app.post('/form', express.urlencoded({ extended: true }), (req, res) => void res.json(req.body))
  app.post('/raw', express.raw({ limit: '2mb', type: '*/*' }), (req, res) => void res.type('bin').send(req.body))
  app.post('/text', express.text(), (req, res) => void res.send(`<${String(req.body)}>`))
  app.post('/iterate', async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    res.json({ length: Buffer.concat(chunks).length, complete: req.complete, ended: req.readableEnded })
  })
  app.post('/events', (req, res) => {
    const seen: string[] = [`complete ${req.complete}`]
    req.on('data', (chunk: Buffer) => seen.push(`data ${chunk.length}`))
    req.on('end', () => res.json([...seen, 'end', `complete ${req.complete}`]))
  })
  app.post('/pipe-back', (req, res) => void req.pipe(res))
  app.post('/unread', (_req, res) => void res.send('not looked at'))
  app.get('/pipe', (_req, res) => void createReadStream(FILE).pipe(res.type('json')))
  app.get('/file', (_req, res) => void res.sendFile(FILE))
  app.get('/download', (_req, res) => void res.download(FILE, 'päckage.json'))
  app.get('/redirect', (_req, res) => void res.redirect('/elsewhere?x=1'))
  app.get('/moved', (_req, res) => void res.redirect(301, 'https://example.org/'))
  app.get('/cookies', (_req, res) => {
    res.cookie('a', '1').cookie('b', 'two words', { httpOnly: true, path: '/x' }).clearCookie('c')
    res.append('X-Many', ['1', '2']).append('X-Many', '3').send('set')
  })
  app.get('/empty', (_req, res) => void res.status(204).end())
  app.get('/teapot', (_req, res) => void res.sendStatus(418))
  app.get('/big', (_req, res) => void res.send(Buffer.alloc(1 << 20, 'takespace')))
  app.get('/etag', (_req, res) => void res.set('ETag', '"v1"').send('versioned'))
  app.get('/throws', () => {
    throw new Error('thrown')
  })
  app.get('/rejects', async () => {
    throw Object.assign(new Error('rejected'), { status: 409 })
  })
  const keep = { secret: 'keyboard cat', resave: false, saveUninitialized: true, genid: () => 'fixed' }
  app.get('/visits', session(keep), (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json(req.session.visits)
  })
  const errorPage: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500).send(`error page: ${error.message}`)
  }
  app.use(errorPage)
  return app
}

/** What Node's own API offers, used every way. */
export function plainApp(req: IncomingMessage, res: ServerResponse): void {
  const path = (req.url ?? '').split('?')[0]
  const ways: Record<string, () => void> = {
    '/end': () => res.end('whole'),
    '/nothing': () => res.end(),
    '/write-twice': () => {
      res.write('one ')
      res.write(Buffer.from('two '))
      res.end('three')
    },
    '/encoding': () => res.end('68656c6c6f', 'hex'),
    '/bytes': () => res.end(Uint8Array.of(0, 255, 10, 13, 0)),
    '/write-head': () => res.writeHead(201, 'Made It', { 'X-One': '1', 'Set-Cookie': ['a=1', 'b=2'] }).end('made'),
    '/write-head-list': () =>
      res.writeHead(200, ['X-B', 'b', 'X-A', 'a', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end(),
    '/write-head-mixed': () => {
      res.setHeader('X-One', 'before')
      res.writeHead(200, { 'x-one': 'after', 'X-Two': 2 }).end('mixed')
    },
    '/chunked': () => {
      res.setHeader('Transfer-Encoding', 'chunked')
      res.write('a')
      res.end('b')
    },
    '/trailers': () => {
      res.writeHead(200, { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' })
      res.write('summed')
      res.addTrailers({ 'X-Sum': '6' })
      res.end()
    },
    '/length': () => res.writeHead(200, { 'Content-Length': 5 }).end('right'),
    '/latin1': () => res.writeHead(200, { 'X-Latin': 'caf\u00e9' }).end('caf\u00e9', 'latin1'),
    '/flushed': () => {
      res.flushHeaders()
      setImmediate(() => res.end(String(res.headersSent)))
    },
    '/continue': () => {
      res.writeContinue()
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.end('went on')
    },
    '/not-modified': () => res.writeHead(304, { ETag: '"x"' }).end('dropped'),
    '/no-content': () => res.writeHead(204).end('dropped'),
    '/connection': () => res.writeHead(200, { Connection: 'close' }).end('closing'),
    '/bad-header': () => {
      try {
        res.setHeader('X-Split', 'a\r\nb: c')
      } catch (error) {
        res.end((error as NodeJS.ErrnoException).code)
      }
    },
    '/flags': () => {
      const before = [res.headersSent, res.finished, res.writableEnded, res.writableFinished, res.writable]
      res.write('x')
      res.end(JSON.stringify([before, res.headersSent, res.finished, res.writableEnded]))
    },
    '/slow-writes': () => {
      let left = 20
      const more = (): void => {
        while (left-- > 0) if (!res.write(Buffer.alloc(10_000, left))) return void res.once('drain', more)
        res.end()
      }
      more()
    },
    '/reused-memory': () => {
      const memory = Buffer.alloc(4)
      let n = 0
      const next = (): void => {
        if (n === 5) return void res.end()
        memory.fill(String(n++))
        res.write(memory, next)
      }
      next()
    },
  }
  const way = ways[path ?? '']
  if (way) return way()
  res.statusCode = 404
  res.end('no such way')
}

export const fetchApp = {
  async fetch(request: Request): Promise<Response> {
    const { method, headers, url } = request
    switch (new URL(url).pathname) {
      case '/echo':
        return Response.json({ method, url, agent: headers.get('user-agent'), cookie: headers.get('cookie') })
      case '/body':
        return new Response(await request.arrayBuffer(), { headers: { 'X-Method': method } })
      case '/cookies': {
        const response = new Response('set')
        response.headers.append('set-cookie', 'a=1')
        response.headers.append('set-cookie', 'b=2, still b')
        return response
      }
      case '/stream':
        return new Response(new Blob(['st', 'ream']).stream(), { status: 202, statusText: 'Taken On' })
      case '/none':
        return new Response(null, { status: 204 })
      default:
        return new Response('nowhere', { status: 404 })
    }
  },
}
