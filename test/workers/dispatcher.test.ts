/** The traps of running a (req, res) app without a socket, one test each (anchors/ecosystem.md §3.2 and §0.5). */
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import session from 'express-session'
import type { HttpRequest, HttpResponse } from '../../src/request.js'
import { type NodeApp, nodeHandler } from '../../workers/apps/node.js'
import { contextOf, requestOf } from './turns.js'

const ask = async (app: NodeApp, request: Partial<HttpRequest> = {}, turn = contextOf()): Promise<HttpResponse> =>
  turn.gathered(await nodeHandler(app)(requestOf(request), turn))

const post = (body: string): Partial<HttpRequest> => ({ method: 'POST', body: Buffer.from(body) })

const headerOf = ({ headers }: HttpResponse, name: string): string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name)

test('a real HTTP server in the same process keeps working after an Express app was dispatched', async () => {
  const one = express().get('/', (_req, res) => void res.send('dispatched'))
  const other = express().get('/', (req, res) => void res.send(`real ${req.hostname} ${req.get('x-a')}`))
  expect((await ask(one)).body.toString()).toBe('dispatched')

  const server = createServer(other)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const response = await fetch(url, { headers: { 'x-a': 'b' } })
    expect(await response.text()).toBe('real 127.0.0.1 b')
    expect((await ask(other)).body.toString()).toBe('real example.org undefined')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('req and res are Node’s own, with nothing of ours between', async () => {
  await ask((req, res) => {
    expect(Object.getPrototypeOf(req)).toBe(IncomingMessage.prototype)
    expect(Object.getPrototypeOf(res)).toBe(ServerResponse.prototype)
    expect(res.req).toBe(req)
    res.end()
  })
})

test('an answer that says that it is short goes out whole: express-session holds its last byte until the session is saved', async () => {
  const turn = contextOf()
  const held: NodeApp = (_req, res) => {
    res.setHeader('Content-Length', 5)
    res.write('abcd')
    // Longer than a response may take that goes out in one piece and does not say so.
    setTimeout(() => res.end('e'), 60)
  }
  const response = await ask(held, {}, turn)
  expect(turn.heads).toEqual([])
  expect(response.body.toString()).toBe('abcde')
})

describe('the body of a request', () => {
  test('is complete when it has been handed over, not before, and its socket is readable', async () => {
    const seen: boolean[] = []
    await ask((req, res) => {
      seen.push(req.complete, req.socket.readable, req.readable)
      req.on('data', () => {})
      req.on('end', () => {
        seen.push(req.complete)
        res.end()
      })
    }, post('body'))
    expect(seen).toEqual([false, true, true, true])
  })

  test('is there for whoever begins to read late', async () => {
    const response = await ask((req, res) => void setImmediate(() => req.pipe(res)), post('late'))
    expect(response.body.toString()).toBe('late')
  })

  test('that nobody reads is read away after the response, for those who wait for its end', async () => {
    const ended = new Promise<string>((resolve) => {
      void ask((req, res) => {
        req.on('close', () => resolve(`closed, complete: ${req.complete}`))
        res.end('no')
      }, post('unread'))
    })
    expect(await ended).toBe('closed, complete: true')
  })

  test('may be left unread', async () => {
    expect((await ask((_req, res) => void res.end('ok'), post('x'))).body.toString()).toBe('ok')
  })
})

describe('the head of a response', () => {
  test('goes through res.writeHead, so that what replaces it is called (on-headers)', async () => {
    const late: NodeApp = (_req, res) => {
      const original = res.writeHead
      res.writeHead = function (this: ServerResponse, ...args: unknown[]) {
        this.setHeader('X-Late', 'yes')
        return original.apply(this, args as never)
      } as typeof res.writeHead
    }
    const ways: ((res: ServerResponse) => unknown)[] = [
      (res) => res.end('x'),
      (res) => res.end(),
      (res) => res.write('x') && res.end(),
      (res) => Readable.from(['x']).pipe(res),
      (res) => res.writeHead(201).end(),
      (res) => [res.flushHeaders(), res.end()],
    ]
    for (const way of ways) {
      const response = await ask((req, res) => {
        late(req, res)
        way(res)
      })
      expect(headerOf(response, 'x-late')).toEqual(['yes'])
    }
  })

  test('carries the cookie of express-session, and the session is found again by it', async () => {
    const app = express()
    app.use(session({ secret: 's', resave: false, saveUninitialized: true }))
    app.get('/', (req, res) => {
      req.session.visits = (req.session.visits ?? 0) + 1
      res.json(req.session.visits)
    })
    const first = await ask(app)
    const cookie = headerOf(first, 'set-cookie')[0]?.split(';')[0] as string
    expect(cookie).toMatch(/^connect\.sid=/)
    const second = await ask(app, { headers: ['Host', 'x', 'Cookie', cookie] })
    expect(second.body.toString()).toBe('2')
    expect(headerOf(second, 'set-cookie')).toEqual([])
  })
})

test('an app may replace write and end, as compression does', async () => {
  const upper: NodeApp = (_req, res) => {
    const end = res.end
    let text = ''
    res.write = ((chunk: string) => {
      text += chunk
      return true
    }) as typeof res.write
    res.end = ((chunk?: string) => {
      res.removeHeader('Content-Length')
      return end.call(res, (text + (chunk ?? '')).toUpperCase(), 'utf8')
    }) as typeof res.end
  }
  const app = express()
  app.use((req, res, next) => {
    upper(req, res)
    next()
  })
  app.get('/', (_req, res) => void res.send('loud'))
  app.get('/pipe', (_req, res) => void Readable.from(['lo', 'ud']).pipe(res))
  expect((await ask(app)).body.toString()).toBe('LOUD')
  expect((await ask(app, { target: '/pipe' })).body.toString()).toBe('LOUD')
})

test('finish comes once, then close, and the callback of end() where this Node has it', async () => {
  const observed = async (serve: (app: NodeApp) => Promise<unknown>): Promise<string[]> => {
    const events: string[] = []
    let onClosed = (): void => {}
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve
    })
    await serve((req, res) => {
      for (const name of ['finish', 'close']) res.on(name, () => events.push(`res ${name} ${res.writableFinished}`))
      res.on('close', onClosed)
      req.on('aborted', () => events.push('aborted'))
      res.write('a')
      res.end('b', () => events.push('callback'))
    })
    await closed
    return events
  }
  const events = await observed(ask)
  expect(events.filter((event) => event !== 'callback')).toEqual(['res finish true', 'res close true'])
  const onServer = async (app: NodeApp): Promise<void> => {
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    server.closeAllConnections()
    server.close()
  }
  expect(events).toEqual(await observed(onServer))
})

describe('back-pressure', () => {
  test('a writer that got false gets drain, and owes nothing afterwards', async () => {
    const response = await ask((_req, res) => {
      expect(res.write('small')).toBe(true)
      expect(res.write(Buffer.alloc(20_000))).toBe(false)
      expect(res.writableNeedDrain).toBe(true)
      res.once('drain', () => {
        expect(res.writableNeedDrain).toBe(false)
        Readable.from([Buffer.alloc(50_000), 'end']).pipe(res)
      })
    })
    expect(response.body.length).toBe(5 + 20_000 + 50_000 + 3)
  })

  test('a pipeline of a megabyte ends', async () => {
    const source = Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(16_384, 'z')))
    const response = await ask((_req, res) => pipeline(source, res))
    expect(response.body.length).toBe(1 << 20)
  })
})

describe('an app that fails', () => {
  const failing: Record<string, NodeApp> = {
    'throws at once': () => {
      throw new Error('boom')
    },
    rejects: async () => {
      throw new Error('boom')
    },
    'rejects after a part of the body': async (_req, res) => {
      res.write('part')
      throw new Error('boom')
    },
  }
  for (const [name, app] of Object.entries(failing)) {
    test(`${name}: its error is the turn's`, () => expect(ask(app, post('x'))).rejects.toThrow('boom'))
  }

  const destroying: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
    'res.destroy()': (_req, res) => void res.destroy(),
    'res.destroy(error)': (_req, res) => void res.destroy(new Error('boom')),
    'req.destroy()': (req) => void req.destroy(),
    'req.destroy(error)': (req) => void req.destroy(new Error('boom')),
    'res.socket.destroy()': (_req, res) => void res.socket?.destroy(),
    'req.socket.destroy(error)': (req) => void req.socket.destroy(new Error('boom')),
    'req.socket.end()': (req) => void req.socket.end(),
    'res.socket.destroySoon()': (_req, res) => void res.socket?.destroySoon(),
    'a part of the body, then res.destroy()': (_req, res) => {
      res.write('part')
      res.destroy()
    },
    'res.destroy(), later': (_req, res) => void setImmediate(() => res.destroy()),
    'req.destroy(), after reading': (req, res) => void req.resume().on('end', () => res.destroy()),
  }
  for (const [name, app] of Object.entries(destroying)) {
    test(`${name}: a bad response, and everyone hears of the close`, async () => {
      const closed: string[] = []
      const asked = ask((req, res) => {
        req.on('close', () => closed.push('req'))
        res.on('close', () => closed.push('res'))
        app(req, res)
      }, post('x'))
      await expect(asked).rejects.toMatchObject({ code: 'BAD_RESPONSE' })
      while (closed.length < 2) await new Promise(setImmediate)
      expect(closed.sort()).toEqual(['req', 'res'])
    })
  }

  test('after it had answered is reported, and the answer stands', async () => {
    const turn = contextOf()
    const twice: NodeApp = (_req, res) => {
      res.end('first')
      res.end('second')
    }
    const late: NodeApp = async (_req, res) => {
      res.end('first')
      throw new Error('afterthought')
    }
    for (const app of [twice, late]) expect((await ask(app, {}, turn)).body.toString()).toBe('first')
    expect(turn.afterthoughts).toMatchObject([{ code: 'ERR_STREAM_WRITE_AFTER_END' }, { message: 'afterthought' }])
  })
})

test('when the turn is cut, the app sees what it would see if the client had gone', async () => {
  const turn = contextOf()
  const events: string[] = []
  const asked = ask(
    (req, res) => {
      req.on('aborted', () => events.push('req aborted'))
      req.on('error', (error: NodeJS.ErrnoException) => events.push(`req ${error.code}`))
      res.on('close', () => events.push(`res closed ${res.writableFinished} ${res.destroyed}`))
      res.write('part')
      turn.cut()
      expect(res.write('more')).toBe(false)
      res.on('close', () => setImmediate(() => res.end()))
    },
    post('x'),
    turn,
  )
  let ended = false
  asked.catch(() => {
    ended = true
  })
  while (events.length < 3) await new Promise(setImmediate)
  expect(events).toEqual(['req aborted', 'res closed false true', 'req ECONNRESET'])
  await expect(asked).rejects.toMatchObject({ code: 'BAD_RESPONSE' })
  expect(ended).toBe(true)
})

test('a timeout that the app asked for is told to it, and it may still answer', async () => {
  const response = await ask((_req, res) => void res.setTimeout(5, () => res.writeHead(503).end('too slow')))
  expect(response.status).toBe(503)
  await expect(ask((req) => void req.socket.setTimeout(5))).rejects.toMatchObject({ code: 'BAD_RESPONSE' })
})

test('a client of HTTP/1.0 and one over TLS are told apart', async () => {
  const tell: NodeApp = (req, res) => {
    const socket = req.socket as unknown as { encrypted: boolean }
    res.end(
      `${req.httpVersion} ${req.httpVersionMajor} ${req.httpVersionMinor} ${socket.encrypted} ${req.socket.remoteAddress}`,
    )
  }
  const old = await ask(tell, { httpVersion: '1.0', secure: true, peer: '::1' })
  expect(old.body.toString()).toBe('1.0 1 0 true ::1')
  expect((await ask(tell)).body.toString()).toBe('1.1 1 1 false 127.0.0.1')
})
