/** Request bodies that do not come as they should: refused, answered early, broken off, slow. */
import { describe, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { all, begin, serving, space } from './bodies.js'

describe('a body that does not come as it should', () => {
  test('is answered before it is all here, if the app does so, and its connection ends', async () => {
    const gateway = await serving((_req, res) => void res.writeHead(403).end('no'), { limits: { bodyBytes: 1 << 30 } })
    const { req, response } = begin(gateway, '/')
    req.write(Buffer.alloc(200_000))
    const res = await response
    expect([res.statusCode, res.headers.connection, await all(res)]).toEqual([403, 'close', 'no'])
    req.destroy()
  })

  test('is answered early also while its client goes on sending, and the answer is not lost', async () => {
    const gateway = await serving((_req, res) => void res.writeHead(403).end('no'), { limits: { bodyBytes: 1 << 30 } })
    for (let n = 0; n < 10; n++) {
      const { req, response } = begin(gateway, '/')
      const sending = setInterval(() => req.write(Buffer.alloc(65_536)), 1)
      try {
        const res = await response
        expect([res.statusCode, await all(res)]).toEqual([403, 'no'])
      } finally {
        clearInterval(sending)
        req.destroy()
      }
    }
  })

  test('is refused as too large when more of it comes than may, and its handler sees it break off', async () => {
    let broken = false
    const gateway = await serving((req) => void req.on('error', () => (broken = true)).resume(), {
      limits: { bodyBytes: 300_000 },
    })
    const { req, response } = begin(gateway, '/')
    for (let i = 0; i < 5; i++) req.write(Buffer.alloc(100_000))
    expect((await response).statusCode).toBe(413)
    await until(() => broken, 'the handler sees it')
    req.destroy()
  })

  test('ends with its client: the handler sees an abort, and nothing is left', async () => {
    const events: string[] = []
    const gateway = await serving((req, res) => {
      req.on('error', (error: NodeJS.ErrnoException) => events.push(`req ${error.code}`))
      res.on('close', () => events.push('res close'))
      req.resume()
    })
    const { req } = begin(gateway, '/')
    req.write('a part')
    await until(() => space!.streams.size > 0, 'it is under way')
    req.destroy()
    await until(() => events.length === 2, 'the handler hears of it')
    expect(events.sort()).toEqual(['req ECONNRESET', 'res close'])
    await until(() => space!.streams.size === 0, 'no stream is left')
  })

  test('a { fetch } app reads it as it comes, and its signal fires when the client goes', async () => {
    const seen: string[] = []
    const gateway = await serving({
      async fetch(request: Request) {
        request.signal.addEventListener('abort', () => seen.push('aborted'))
        const reader = request.body!.getReader()
        seen.push(Buffer.from((await reader.read()).value!).toString())
        await reader.read().catch(() => seen.push('broken'))
        return new Response('for nobody')
      },
    } as never)
    const { req } = begin(gateway, '/')
    req.write('first')
    await until(() => seen.includes('first'), 'it has read the first of it')
    req.destroy()
    await until(() => seen.length === 3, 'it hears of the end')
    expect([...seen].sort()).toEqual(['aborted', 'broken', 'first'])
  })

  test('is refused with 408 if its client stalls, also when a handler reads it', async () => {
    let broken = 0
    const gateway = await serving((req) => void req.on('error', () => broken++).resume(), {
      limits: { timeoutMs: 300 },
    })
    const stalled = begin(gateway, '/', { headers: { 'Content-Length': '100000' } })
    stalled.req.write('a part')
    const res = await stalled.response
    expect([res.statusCode, res.headers.connection]).toEqual([408, 'close'])
    expect(JSON.parse(await all(res))).toMatchObject({ code: 'BODY_TOO_SLOW' })
    await until(() => broken === 1, 'the handler sees it break off')
    stalled.req.destroy()
  })

  test('that nobody reads is not the client its fault: it gets 504', async () => {
    const gateway = await serving(() => {}, { limits: { timeoutMs: 300, bodyBytes: 1 << 30 } })
    const { req, response } = begin(gateway, '/')
    req.write(Buffer.alloc(8 << 20))
    expect((await response).statusCode).toBe(504)
    req.destroy()
  })

  test('is waited for as long as it moves, and the deadline counts from its end', async () => {
    const gateway = await serving((req, res) => void req.resume().on('end', () => req.url === '/' && res.end('ok')), {
      limits: { timeoutMs: 400 },
    })
    const moving = begin(gateway, '/')
    const begun = performance.now()
    while (performance.now() - begun < 900) {
      moving.req.write('x')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    moving.req.end()
    expect((await moving.response).statusCode).toBe(200)
    const unanswered = begin(gateway, '/never')
    unanswered.req.write('x')
    await new Promise((resolve) => setTimeout(resolve, 60))
    unanswered.req.end()
    expect((await unanswered.response).statusCode).toBe(504)
  })
})

failOnLeaks()
