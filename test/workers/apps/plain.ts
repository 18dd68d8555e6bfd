/** A (req, res) function that uses what Node's own API offers, every way. */
import type { IncomingMessage, ServerResponse } from 'node:http'

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
