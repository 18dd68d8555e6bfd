/** Bodies that pass bit by bit, at the edge: what the client sees of them, and of those that break off. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import type { Gateway } from '../../gateway/index.js'
import { createClient } from '../../src/client.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { all, begin, echo, serving, space } from './bodies.js'

/** Everything that comes on a bare connection until it ends, or is reset. */
async function raw(
  gateway: Gateway,
  text: string,
  onText: (text: string) => void,
): Promise<{ text: string; reset: boolean }> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  let got = ''
  let reset = false
  socket.on('data', (bytes) => {
    got += bytes
    onText(got)
  })
  socket.on('error', () => {
    reset = true
  })
  socket.write(text)
  await new Promise((resolve) => socket.once('close', resolve))
  return { text: got, reset }
}
describe('as they come', () => {
  test('an upload is seen by the handler while it lasts, and its answer by the client', async () => {
    const gateway = await serving(echo)
    const { req, response } = begin(gateway, '/')
    req.write('first ')
    const res = await response
    const [one] = (await once(res, 'data')) as [Buffer]
    expect(String(one)).toBe('first ')
    req.end('last')
    expect(await all(res)).toBe('last')
  })

  test('what an async generator yields arrives before the next one is made', async () => {
    let goOn = (): void => {}
    async function* lines() {
      yield 'one\n'
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      yield 'two\n'
    }
    const gateway = await serving((_req, res) => void Readable.from(lines()).pipe(res))
    const { req, response } = begin(gateway, '/', { method: 'GET' })
    req.end()
    const res = await response
    const [one] = (await once(res, 'data')) as [Buffer]
    expect(String(one)).toBe('one\n')
    goOn()
    expect(await all(res)).toBe('two\n')
  })

  test('server-sent events go on where their client says that it left them (Last-Event-ID)', async () => {
    const gateway = await serving((req, res) => {
      let id = Number(req.headers['last-event-id'] ?? 0)
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      const timer = setInterval(() => res.write(`id: ${++id}\ndata: x\n\n`), 5)
      res.on('close', () => clearInterval(timer))
    })
    const read = async (headers: Record<string, string>): Promise<number[]> => {
      const { req, response } = begin(gateway, '/', { method: 'GET', headers })
      req.end()
      let text = ''
      for await (const chunk of await response) {
        text += chunk
        if ((text.match(/\n\n/g) ?? []).length >= 3) break
      }
      return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)).slice(0, 3)
    }
    expect(await read({})).toEqual([1, 2, 3])
    expect(await read({ 'Last-Event-ID': '41' })).toEqual([42, 43, 44])
  })

  test('a head that is flushed arrives before there is a body', async () => {
    let finish = (): void => {}
    const gateway = await serving((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'x-early': 'yes' }).flushHeaders()
      finish = () => res.end('over')
    })
    const { req, response } = begin(gateway, '/', { method: 'GET' })
    req.end()
    const res = await response
    expect([res.statusCode, res.headers['x-early'], res.headers['content-type']]).toEqual([
      200,
      'yes',
      'text/event-stream',
    ])
    finish()
    expect(await all(res)).toBe('over')
  })

  test('many megabytes pass whole, both ways at once', async () => {
    const gateway = await serving(echo, { limits: { bodyBytes: Number.POSITIVE_INFINITY } })
    const { req, response } = begin(gateway, '/')
    const piece = Buffer.from(Array.from({ length: 65_536 }, (_, i) => i % 251))
    const pieces = 160
    const written = (async () => {
      for (let i = 0; i < pieces; i++) if (!req.write(piece)) await once(req, 'drain')
      req.end()
    })()
    let [bytes, wrong] = [0, 0]
    for await (const chunk of await response) {
      for (let i = 0; i < chunk.length; i += 997) if (chunk[i] !== ((bytes + i) % 65_536) % 251) wrong++
      bytes += chunk.length
    }
    await written
    expect([bytes, wrong]).toEqual([pieces * piece.length, 0])
    await until(() => space!.streams.size === 0, 'no stream is left')
    expect(space!.streams.keptBytes).toBe(0)
  })
})

describe('what frames a body', () => {
  test('trailers pass both ways, and what must not stand behind a body does not', async () => {
    const gateway = await serving((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(200, { Trailer: 'X-Sum' })
        res.write('body')
        setTimeout(() => {
          res.addTrailers({ 'X-Sum': String(req.trailers['x-up']), 'Content-Length': '3', 'Set-Cookie': 'a=b' })
          res.end()
        }, 30)
      })
    })
    for (const slowly of [false, true]) {
      const { req, response } = begin(gateway, '/', { headers: { Trailer: 'X-Up' } })
      req.write('a')
      if (slowly) await new Promise((resolve) => setTimeout(resolve, 60))
      req.addTrailers({ 'X-Up': '42', Authorization: 'none' } as never)
      req.end()
      const res = await response
      expect(await all(res)).toBe('body')
      expect(res.trailers).toEqual({ 'x-sum': '42' })
    }
  })

  test('a length that was announced is kept, and a body that is not of that length is never taken for complete', async () => {
    const length = 100_000
    let finish = (_rest: number): void => {}
    const gateway = await serving((_req, res) => {
      res.writeHead(200, { 'Content-Length': String(length) })
      res.write('x'.repeat(70_000))
      finish = (rest) => res.end('x'.repeat(rest))
    })
    for (const rest of [30_000, 29_999]) {
      const { req, response } = begin(gateway, '/', { method: 'GET' })
      req.end()
      const res = await response
      expect(res.headers['content-length']).toBe(String(length))
      finish(rest)
      if (rest === 30_000) expect((await all(res)).length).toBe(length)
      else await expect(all(res)).rejects.toThrow('aborted')
    }
  })

  test('a handler that fails after it has begun cuts its answer', async () => {
    let goOn = (): void => {}
    const gateway = await serving((async (_req, res) => {
      res.write('a part')
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      throw new Error('boom')
    }) as RequestListener)
    const { req, response } = begin(gateway, '/', { method: 'GET' })
    req.end()
    const res = await response
    goOn()
    await expect(all(res)).rejects.toThrow('aborted')
  })

  test('HTTP/1.0 has the body without chunks, and a reset where it breaks off', async () => {
    let finish = (): void => {}
    const gateway = await serving((req, res) => {
      res.write('a part')
      finish = () => void (req.url === '/whole' ? res.end(', all') : res.destroy())
    })
    const onText = (text: string): void => {
      if (text.endsWith('a part')) finish()
    }
    const whole = await raw(gateway, 'GET /whole HTTP/1.0\r\nHost: a\r\n\r\n', onText)
    expect(whole.text).toMatch(/\r\n\r\na part, all$/)
    expect(whole.text).not.toMatch(/transfer-encoding/i)
    const broken = await raw(gateway, 'GET /broken HTTP/1.0\r\nHost: a\r\n\r\n', onText)
    expect(broken.reset).toBe(true)
  })

  test('HEAD, 204 and 304 have no body, whatever the handler writes', async () => {
    const gateway = await serving((req, res) => {
      res.writeHead(Number(req.url!.slice(1)))
      res.flushHeaders()
      setTimeout(() => res.end('none of this'), 30)
    })
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const { req, response } = begin(gateway, `/${status}`, { method })
      req.end()
      const res = await response
      expect([res.statusCode, await all(res)]).toEqual([status, ''])
    }
  })

  test('hints come before the answer (103), and 100 only once the request is admitted', async () => {
    const gateway = await serving((req, res) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      req.resume().on('end', () => res.end('answer'))
    })
    const { req, response } = begin(gateway, '/', { headers: { Expect: '100-continue' } })
    const interim: number[] = []
    req.on('information', ({ statusCode, headers }) => {
      interim.push(statusCode)
      if (statusCode === 103) expect(headers.link).toContain('style.css')
    })
    req.flushHeaders()
    await once(req, 'continue')
    req.end('body')
    expect(await all(await response)).toBe('answer')
    expect(interim).toContain(103)
    const large = begin(gateway, '/', { headers: { Expect: '100-continue', 'Content-Length': '99999999' } })
    large.req.flushHeaders()
    expect((await large.response).statusCode).toBe(413)
    large.req.destroy()
  })
})

test('a turn with a stream lends its place: others are served, however many streams there are', async () => {
  const gateway = await serving(
    (req, res) => {
      if (req.url === '/') res.end('served')
      else res.writeHead(200).flushHeaders()
    },
    {},
    2,
  )
  const streams = Array.from({ length: 5 }, () => begin(gateway, '/stream', { method: 'GET' }))
  for (const { req } of streams) req.end()
  await Promise.all(streams.map(({ response }) => response))
  const { req, response } = begin(gateway, '/', { method: 'GET' })
  req.end()
  expect(await all(await response)).toBe('served')
  for (const stream of streams) stream.req.destroy()
  await until(() => space!.streams.size === 0, 'no stream is left')
})

test('client.fetch passes bodies as they come, both ways, and its signal ends them', async () => {
  const closed: string[] = []
  await serving((req, res) => {
    res.on('close', () => closed.push(`${req.url} ${res.writableFinished}`))
    if (req.url === '/echo') req.pipe(res)
    else setInterval(() => res.write('tick\n'), 20).unref()
  })
  const client = createClient({ space: space! })
  async function* pieces() {
    for (let i = 0; i < 40; i++) {
      yield Buffer.alloc(10_000, i)
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 15))
    }
  }
  const body = ReadableStream.from(pieces()) as ReadableStream<Uint8Array>
  const response = await client.fetch('/echo', { method: 'POST', body, duplex: 'half' } as never)
  const bytes = new Uint8Array(await response.arrayBuffer())
  expect(bytes.length).toBe(400_000)
  expect(bytes.every((byte, i) => byte === Math.floor(i / 10_000))).toBe(true)

  const controller = new AbortController()
  const ticking = await client.fetch('/ticks', { signal: controller.signal })
  const reader = ticking.body!.getReader()
  expect(Buffer.from((await reader.read()).value!).toString()).toContain('tick')
  controller.abort()
  await until(() => closed.includes('/ticks false'), 'its handler hears of the end')
  await until(() => space!.streams.size === 0, 'no stream is left')
})

failOnLeaks()
