/** HTTP/2 on the front: what an app and a client see is what they see over HTTP/1.1 (docs/tls.md). */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { describe, expect, test } from '@jest/globals'
import type { GatewayOptions } from '../../gateway/index.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { fronts } from './fronts.js'
import { type Served, serving, signal, type Work } from './serving.js'

const FRONTS = fronts()

interface Front extends AsyncDisposable {
  readonly s: Served
  readonly session: ClientHttp2Session
}

async function open(how: string, work: Work | null, options: Partial<GatewayOptions> = {}): Promise<Front> {
  const s = await serving(work, { ...options, ...FRONTS[how] })
  const session = connect(s.gateway.url, { rejectUnauthorized: false })
  session.on('error', () => {})
  return {
    s,
    session,
    async [Symbol.asyncDispose]() {
      session.destroy()
      await s[Symbol.asyncDispose]()
    },
  }
}

type App = (req: IncomingMessage, res: ServerResponse) => void
async function running(app: App, options: Partial<GatewayOptions> = {}): Promise<Front> {
  const front = await open('TLS', null, options)
  await createWorker({ space: front.s.space, app }).start()
  return front
}

interface Heard {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders | undefined
  readonly body: Buffer
}

async function heard(stream: ClientHttp2Stream): Promise<Heard> {
  let headers: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders | undefined
  stream.on('response', (fields) => {
    headers = fields
  })
  stream.on('trailers', (fields) => {
    trailers = fields
  })
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`reset ${stream.rstCode}`)
  return { status: Number(headers[':status']), headers, trailers, body: Buffer.concat(chunks) }
}

/** One request; `body` in one piece. */
function ask(session: ClientHttp2Session, fields: OutgoingHttpHeaders, body?: string | Buffer): Promise<Heard> {
  const stream = session.request(fields, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return heard(stream)
}

const fieldOf = (headers: readonly string[], name: string): string | undefined =>
  headers[headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name) + 1]

describe.each(Object.keys(FRONTS))('over %s', (how) => {
  test('a request reaches the worker as one of HTTP/1.1, and its answer the client', async () => {
    const headers = [
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Vary',
      'x',
      'Vary',
      'y',
      'Connection',
      'x-hop',
      'X-Hop',
      '1',
    ]
    await using front = await open(how, () => ({ status: 201, headers, body: Buffer.from('made') }))
    const { session, s } = front
    const answer = await ask(
      session,
      {
        ':method': 'POST',
        ':path': '/a?b=c',
        ':authority': 'host.example',
        cookie: ['a=1', 'b=2'],
        'content-length': 3,
      },
      'abc',
    )
    expect(answer).toMatchObject({ status: 201, headers: { 'set-cookie': ['a=1', 'b=2'], vary: 'x, y' } })
    expect(answer.headers).not.toHaveProperty('x-hop')
    expect(answer.body.toString()).toBe('made')
    const [request] = s.seen
    expect(request).toMatchObject({ method: 'POST', target: '/a?b=c', httpVersion: '1.1', secure: how === 'TLS' })
    expect(request!.peer).toBe('127.0.0.1')
    expect(request!.body.toString()).toBe('abc')
    expect(fieldOf(request!.headers, 'host')).toBe('host.example')
    expect(fieldOf(request!.headers, 'cookie')).toBe('a=1; b=2')
    expect(request!.headers.filter((name) => name.startsWith(':'))).toEqual([])
  })

  test('HTTP/1.1 is served on the same port', async () => {
    await using front = await open(how, () => ({ body: Buffer.from('one') }))
    const { get } = how === 'TLS' ? await import('node:https') : await import('node:http')
    const [res] = (await once(get(front.s.gateway.url, { rejectUnauthorized: false, agent: false }), 'response')) as [
      IncomingMessage,
    ]
    expect([res.httpVersion, res.statusCode]).toEqual(['1.1', 200])
    res.resume()
    await once(res, 'close')
  })
})

test('a hundred requests run at a time on one connection', async () => {
  const all = signal()
  let running = 0
  await using front = await open('TLS', null)
  await createWorker({
    space: front.s.space,
    concurrency: 100,
    app: async (req: IncomingMessage, res: ServerResponse) => {
      if (++running === 100) all.resolve()
      await all.promise
      res.end(req.url)
    },
  }).start()
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(front.session, { ':path': `/${i}` })))
  expect(answers.map(({ body }) => body.toString())).toEqual(answers.map((_, i) => `/${i}`))
})

describe('bodies', () => {
  const echo: App = (req, res) => void req.pipe(res)

  test.each([
    ['with a length', 70_000, true],
    ['without one', 70_000, false],
    ['of several MiB', 5 << 20, false],
    ['empty', 0, false],
  ])('are whole in both directions: %s', async (_what, bytes, hasLength) => {
    await using front = await running(echo, { limits: { bodyBytes: 10 << 20 } })
    const body = Buffer.alloc(bytes, 'abcdefg')
    const length = hasLength ? { 'content-length': bytes } : {}
    const answer = await ask(front.session, { ':method': 'POST', ...length }, body)
    expect(answer.status).toBe(200)
    expect(answer.body.equals(body)).toBe(true)
  })

  test('have trailers in both directions', async () => {
    await using front = await running((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(200, { Trailer: 'x-after' })
        res.write('body')
        res.addTrailers({ 'x-after': String(req.trailers['x-sum']) })
        res.end()
      })
    })
    const stream = front.session.request({ ':method': 'POST' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7', 'x-forwarded-for': '1.1.1.1' }))
    stream.end('abc')
    expect(await heard(stream)).toMatchObject({ status: 200, trailers: { 'x-after': '7' } })
  })

  test('that are incomplete end with a reset', async () => {
    const begun = signal()
    await using front = await running(async (_req, res) => {
      res.write(Buffer.alloc(100_000))
      await begun.promise
      res.destroy()
    })
    const stream = front.session.request({})
    stream.once('data', () => begun.resolve())
    await expect(heard(stream)).rejects.toThrow(/reset|NGHTTP2_INTERNAL_ERROR/)
  })

  test('over the limit get 413, and the connection goes on', async () => {
    await using front = await running(echo, { limits: { bodyBytes: 1_000 } })
    const { session } = front
    expect((await ask(session, { ':method': 'POST', 'content-length': 2_000 }, Buffer.alloc(2_000))).status).toBe(413)
    expect((await ask(session, { ':method': 'POST' }, Buffer.alloc(2_000))).status).toBe(413)
    expect((await ask(session, { ':method': 'POST' }, 'small')).body.toString()).toBe('small')
  })

  test.each([
    ['HEAD', { ':method': 'HEAD' }, 200],
    ['204', { ':path': '/204' }, 204],
    ['304', { ':path': '/304' }, 304],
  ])('are not sent where HTTP has none: %s', async (_what, fields, status) => {
    await using front = await running((req, res) => {
      res.statusCode = Number(req.url!.slice(1)) || 200
      res.end(status === 200 ? 'body' : undefined)
    })
    const answer = await ask(front.session, fields)
    expect([answer.status, answer.body.length]).toEqual([status, 0])
  })
})

test('a large head reaches the client; one that no client takes is 502', async () => {
  await using front = await open('TLS', ({ target }) => {
    const count = Number(target.slice(1))
    return { headers: Array.from({ length: count }, (_, i) => [`X-${i}`, 'x'.repeat(1_000)]).flat() }
  })
  const session = connect(front.s.gateway.url, {
    rejectUnauthorized: false,
    settings: { maxHeaderListSize: 1 << 20 },
    maxHeaderListPairs: 1_000,
  })
  const answer = await ask(session, { ':path': '/100' })
  expect([answer.status, answer.headers['x-99']?.length]).toEqual([200, 1_000])
  expect((await ask(session, { ':path': '/500' })).status).toBe(502)
  expect((await ask(session, { ':path': '/1' })).status).toBe(200)
  session.destroy()
})

test('interim responses reach the client', async () => {
  await using front = await running((req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    req.on('data', () => {}).on('end', () => res.end('done'))
  })
  const interim: number[] = []
  const stream = front.session.request({ ':method': 'POST', expect: '100-continue' })
  stream.on('continue', () => {
    interim.push(100)
    stream.end('abc')
  })
  stream.on('headers', (fields) => interim.push(Number(fields[':status'])))
  expect((await heard(stream)).body.toString()).toBe('done')
  expect(interim).toContain(103)
  expect(interim).toContain(100)
})

test('a status that HTTP/2 does not have is 502', async () => {
  await using front = await open('TLS', () => ({ status: 600 }))
  const answer = await ask(front.session, {})
  expect([answer.status, answer.headers['content-type']]).toEqual([502, 'application/problem+json'])
})

test('a client that cancels is noticed, and its connection goes on', async () => {
  const [taken, lost] = [signal(), signal()]
  await using front = await open('TLS', (request, held) => {
    if (request.target === '/fine') return { body: Buffer.from('fine') }
    held.onLost = () => lost.resolve()
    taken.resolve()
    return new Promise(() => {})
  })
  const stream = front.session.request({ ':path': '/long' })
  stream.on('error', () => {})
  await taken.promise
  stream.close(constants.NGHTTP2_CANCEL)
  await lost.promise
  expect((await ask(front.session, { ':path': '/fine' })).body.toString()).toBe('fine')
})

test('a client that begins requests only to cancel them loses its connection; others are answered', async () => {
  await using front = await open('TLS', () => ({ body: Buffer.from('fine') }))
  const flooder = connect(front.s.gateway.url, { rejectUnauthorized: false })
  flooder.on('error', () => {})
  const closed = new Promise((resolve) => flooder.once('close', resolve))
  let sent = 0
  while (!flooder.destroyed && sent < 20_000) {
    for (let i = 0; i < 50 && !flooder.destroyed; i++, sent++) {
      const stream = flooder.request({ ':path': '/' })
      stream.on('error', () => {})
      stream.close(constants.NGHTTP2_CANCEL)
    }
    expect((await ask(front.session, {})).body.toString()).toBe('fine')
  }
  await closed
  expect(sent).toBeLessThan(20_000)
})

/** Longer than two looks for bytes that are neither requests nor bodies, and more than those may be. */
const MANY = { ms: 2_300, bytes: 4 << 20 }

test('a session whose bytes are bodies stays open, however many they are', async () => {
  await using front = await running((req, res) => void req.pipe(res))
  const body = Buffer.alloc(50_000, 'a')
  const begun = performance.now()
  for (let sent = 0; sent < MANY.bytes || performance.now() - begun < MANY.ms; sent += body.length)
    expect((await ask(front.session, { ':method': 'POST' }, body)).body.length).toBe(body.length)
})

test.each([
  ['CONNECT', { ':method': 'CONNECT', ':authority': 'a:1' }, 501],
  ['TRACE', { ':method': 'TRACE' }, 501],
  ['another host than its authority', { ':authority': 'a', host: 'b' }, 400],
  ['an authority that is none', { ':authority': 'user@a' }, 400],
  ['an unknown expectation', { expect: 'more' }, 417],
])('is refused as over HTTP/1.1: %s', async (_what, fields, status) => {
  await using front = await open('TLS', () => ({ body: Buffer.from('ran') }))
  const answer = await ask(front.session, fields)
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(front.s.seen).toEqual([])
  expect((await ask(front.session, {})).status).toBe(200)
})

test('a stop ends a session with its last answer, and begins no other request on it', async () => {
  const [taken, go] = [signal(), signal()]
  await using front = await open('TLS', async () => {
    taken.resolve()
    await go.promise
    return { body: Buffer.from('late') }
  })
  const { session, s } = front
  const answer = ask(session, {})
  await taken.promise
  const goaway = once(session, 'goaway')
  const stopped = s.gateway.stop()
  await goaway
  go.resolve()
  expect((await answer).body.toString()).toBe('late')
  await stopped
  expect(session.destroyed || session.closed).toBe(true)
})

failOnLeaks()
