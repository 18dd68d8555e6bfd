/** What a client sends reaches the worker, and what the worker answers reaches the client, byte for byte. */
import { randomBytes } from 'node:crypto'
import { Agent } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { KEEP_ALIVE_MS } from '../../gateway/options.js'
import { ask, serving, wire } from './serving.js'

/** The values of one field in a raw header list. */
const valuesOf = (raw: readonly string[], name: string): string[] =>
  raw.flatMap((item, i) => (i % 2 === 0 && item.toLowerCase() === name ? [raw[i + 1] as string] : []))

describe('a request', () => {
  test('reaches a worker with its method, target, headers and body as they were sent', async () => {
    await using s = await serving(() => ({}))
    const body = randomBytes(100_000)
    await ask(s.port, {
      method: 'PATCH',
      path: '/a%2fb%00/../c?x=1&x=%0d%0a',
      headers: [
        'Host',
        'shop.example:81',
        'X-Two',
        'one',
        'Cookie',
        'a=1',
        'x-two',
        'zwei: \u00e9',
        'Content-Length',
        '100000',
      ],
      body,
    })
    const [request] = s.seen
    expect(request).toMatchObject({
      method: 'PATCH',
      target: '/a%2fb%00/../c?x=1&x=%0d%0a',
      httpVersion: '1.1',
      secure: false,
    })
    expect(request?.body.equals(body)).toBe(true)
    expect(request?.headers.slice(0, 10)).toEqual([
      ...[
        'Host',
        'shop.example:81',
        'X-Two',
        'one',
        'Cookie',
        'a=1',
        'x-two',
        'zwei: \u00e9',
        'Content-Length',
        '100000',
      ],
    ])
  })

  test('with a chunked body reaches a worker with a length and no transfer coding', async () => {
    await using s = await serving(() => ({}))
    await ask(s.port, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body: 'hello' })
    expect(s.seen[0]?.body.toString()).toBe('hello')
    expect(valuesOf(s.seen[0]?.headers ?? [], 'content-length')).toEqual(['5'])
    expect(valuesOf(s.seen[0]?.headers ?? [], 'transfer-encoding')).toEqual([])
  })

  test('loses what concerns its connection only, and what Connection lists', async () => {
    await using s = await serving(() => ({}))
    await ask(s.port, {
      headers: {
        Connection: 'close, X-Mine, Host',
        'X-Mine': '1',
        'Keep-Alive': 'timeout=1',
        TE: 'trailers',
        Upgrade: 'h2c',
        Accept: '*/*',
      },
    })
    const names = s.seen[0]?.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
    expect(names?.sort()).toEqual(['accept', 'host'])
  })

  test('has its address and ports from its connection; fields in which it claims others are dropped, and none is added', async () => {
    await using s = await serving(() => ({}))
    const claims = {
      'X-Forwarded-For': '6.6.6.6',
      'X-Forwarded-Host': 'evil',
      Forwarded: 'for=6.6.6.6',
      'X-Real-IP': '6.6.6.6',
    }
    await ask(s.port, {
      headers: { ...claims, 'X-Forwarded-Proto': 'https', 'X-Takespace-Id': 'x', X_Forwarded_For: '6.6.6.6' },
    })
    const headers = s.seen[0]?.headers ?? []
    expect(headers.join()).not.toMatch(/6\.6\.6\.6|evil|takespace|forwarded/i)
    expect(s.seen[0]).toMatchObject({ peer: '127.0.0.1', localAddress: '127.0.0.1', localPort: s.port, secure: false })
    expect(s.seen[0]?.peerPort).toBeGreaterThan(0)
  })

  test('with an absolute target is for the host of its target', async () => {
    await using s = await serving(() => ({}))
    await ask(s.port, { path: 'http://shop.example/cart?a=1', headers: { Host: 'other.example' } })
    expect(s.seen[0]?.target).toBe('/cart?a=1')
    expect(valuesOf(s.seen[0]?.headers ?? [], 'host')).toEqual(['shop.example'])
  })

  test('waits for 100 Continue before it sends its body, and gets it once admitted', async () => {
    await using s = await serving((request) => ({ body: request.body }))
    const line = await wire(s.port)
    line.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n')
    expect(await line.receive((text) => text.includes('\r\n\r\n'))).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    line.send('ok')
    expect(await line.receive()).toMatch(/HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nok$/)
    expect(valuesOf(s.seen[0]?.headers ?? [], 'expect')).toEqual([])
  })
})

describe('a response', () => {
  test('reaches the client with its status, reason, headers and body as the worker gave them', async () => {
    const body = randomBytes(300_000)
    await using s = await serving(() => ({
      status: 418,
      reason: 'Short And Stout',
      headers: ['Set-Cookie', 'a=1', 'X-Odd', '\u00e9', 'Set-Cookie', 'b=2', 'Content-Type', 'image/png'],
      body,
    }))
    const answer = await ask(s.port)
    expect(answer).toMatchObject({ status: 418, reason: 'Short And Stout' })
    expect(answer.headers).toMatchObject({
      'set-cookie': ['a=1', 'b=2'],
      'content-type': 'image/png',
      'content-length': '300000',
    })
    expect(answer.headers['x-odd']).toBe('\u00e9')
    expect(answer.body.equals(body)).toBe(true)
  })

  test('has no reason phrase if the worker gave none', async () => {
    await using s = await serving(() => ({ status: 404, reason: '' }))
    expect(await ask(s.port)).toMatchObject({ status: 404, reason: '' })
  })

  test('of a few bytes is as intact as a large one', async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await using s = await serving(() => ({ body }))
    expect((await ask(s.port)).body.equals(body)).toBe(true)
  })

  test('is framed by the gateway, whatever the worker says about length and connection', async () => {
    const headers = [
      'Content-Length',
      '3',
      'Transfer-Encoding',
      'identity',
      'Connection',
      'X-Inner',
      'X-Inner',
      '1',
      'Keep-Alive',
      'x',
    ]
    await using s = await serving(() => ({ headers, body: Buffer.from('twelve bytes') }))
    const answer = await ask(s.port)
    expect(answer.text).toBe('twelve bytes')
    expect(valuesOf(answer.raw, 'content-length')).toEqual(['12'])
    expect(valuesOf(answer.raw, 'transfer-encoding')).toEqual([])
    expect(valuesOf(answer.raw, 'x-inner')).toEqual([])
  })

  test('to HEAD keeps the length that the worker announced and has no body', async () => {
    await using s = await serving(() => ({ headers: ['Content-Length', '1234'], body: Buffer.from('unasked') }))
    const answer = await ask(s.port, { method: 'HEAD' })
    expect(answer.headers['content-length']).toBe('1234')
    expect(answer.text).toBe('')
  })

  test.each([204, 304])('of status %i has no body and leaves the connection in step', async (status) => {
    await using s = await serving((request) =>
      request.target === '/empty' ? { status, body: Buffer.from('x') } : { body: Buffer.from('next') },
    )
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const empty = await ask(s.port, { path: '/empty', agent })
    expect(empty.status).toBe(status)
    expect(empty.headers).not.toHaveProperty('transfer-encoding')
    expect(empty.headers).not.toHaveProperty('content-length')
    expect((await ask(s.port, { path: '/next', agent })).text).toBe('next')
    agent.destroy()
  })

  test('tells the client less time than its idle connection has, so that the client is the first to close it', async () => {
    await using s = await serving(() => ({ body: Buffer.from('ok') }))
    const agent = new Agent({ keepAlive: true })
    const { headers } = await ask(s.port, { agent })
    agent.destroy()
    const told = Number(/timeout=(\d+)/.exec(String(headers['keep-alive']))![1]) * 1_000
    expect(told).toBeGreaterThan(50_000)
    expect(KEEP_ALIVE_MS - told).toBeGreaterThanOrEqual(5_000)
  })

  test('leaves an idle connection open for keepAliveMs; of a short time the client is told half', async () => {
    await using s = await serving(() => ({ body: Buffer.from('served') }), { keepAliveMs: 2_000 })
    const line = await wire(s.port)
    line.send('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n')
    const answer = await line.receive((text) => text.endsWith('served'))
    const since = performance.now()
    expect(answer).toMatch(/^keep-alive: timeout=1\r$/im)
    expect(await line.receive()).toBe(answer)
    expect(performance.now() - since).toBeGreaterThan(1_900)
  })

  test('carries the id of its entry, once', async () => {
    let id = ''
    await using s = await serving((_, taken) => {
      id = taken.id
      return { headers: ['X-Request-Id', 'of the app'] }
    })
    expect(valuesOf((await ask(s.port)).raw, 'x-request-id')).toEqual([id])
  })

  test('that is not one that HTTP can carry becomes 502, and the gateway goes on', async () => {
    const broken: Record<string, object> = {
      '/value': { headers: ['X-Split', 'a\r\nSet-Cookie: stolen=1'] },
      '/nul': { headers: ['X-Nul', 'a\0b'] },
      '/name': { headers: ['Bad Name', 'x'] },
      '/odd': { headers: ['Alone'] },
      '/reason': { reason: 'a\r\nb' },
      '/early': { status: 101 },
      '/fraction': { status: 200.5 },
      '/huge': { status: 100_000 },
    }
    await using s = await serving((request) => broken[request.target] ?? {})
    for (const path of Object.keys(broken)) {
      const answer = await ask(s.port, { path })
      expect([path, answer.status]).toEqual([path, 502])
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'BAD_RESPONSE' })
      expect(answer.headers).not.toHaveProperty('set-cookie')
    }
    expect((await ask(s.port)).status).toBe(200)
  })
})

describe('a connection', () => {
  test('serves one request after another', async () => {
    await using s = await serving((request) => ({ body: Buffer.from(request.target) }))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const texts: string[] = []
    for (const path of ['/1', '/2', '/3'])
      texts.push((await ask(s.port, { path, method: 'POST', body: path, agent })).text)
    expect(texts).toEqual(['/1', '/2', '/3'])
    agent.destroy()
  })

  test('on which requests are sent without waiting gets its answers in their order', async () => {
    const later: (() => void)[] = []
    await using s = await serving(async (request) => {
      if (request.target === '/1') await new Promise<void>((resolve) => later.push(resolve))
      else later.pop()?.()
      return { body: Buffer.from(`<${request.target}>`) }
    })
    const line = await wire(s.port)
    line.send(
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    expect((await line.receive()).match(/<.*?>/g)).toEqual(['</1>', '</2>', '</3>'])
  })

  test('of HTTP/1.0 is answered and closed', async () => {
    await using s = await serving((request) => ({ body: Buffer.from(request.httpVersion) }))
    const line = await wire(s.port)
    line.send('GET / HTTP/1.0\r\n\r\n')
    const text = await line.receive()
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(text).toMatch(/\r\n\r\n1\.0$/)
    expect(text).not.toMatch(/chunked/i)
  })
})
