/** Idempotency-Key: one execution and one answer, byte for byte, whichever gateway is asked and however often. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { keyOf } from '../../gateway/idempotency-key.js'
import { createGateway, type GatewayOptions } from '../../gateway/index.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { type Answer, ask, signal } from './serving.js'

interface Asking {
  readonly key?: string
  readonly body?: string
  readonly path?: string
  readonly method?: string
  readonly headers?: Record<string, string>
}

async function gatewayOn(space: Space, options: Partial<GatewayOptions> = {}) {
  const gateway = createGateway({ space, port: 0, ...options })
  await gateway.start()
  const port = Number(new URL(gateway.url).port)
  const post = ({ key, body = 'pay 5', path = '/pay', method = 'POST', headers = {} }: Asking): Promise<Answer> =>
    ask(port, {
      method,
      path,
      body,
      headers: { 'Content-Length': Buffer.byteLength(body), ...(key ? { 'Idempotency-Key': key } : {}), ...headers },
    })
  return { gateway, post, port }
}

/** What an answer is, but for its connection. */
const bytesOf = ({ status, reason, raw, body }: Answer) => ({
  status,
  reason,
  raw: raw.filter((_, i) => !/^(connection|keep-alive)$/i.test(raw[i - (i % 2)]!)),
  body,
})

everyEngine('an Idempotency-Key', (opened) => {
  test('has a request run once; its answer is given again byte for byte, by any gateway', async () => {
    const { space, other } = opened()
    let runs = 0
    const app = (_req: IncomingMessage, res: ServerResponse) => {
      runs++
      res.writeHead(201, { 'X-Run': String(runs), 'Set-Cookie': ['a=1', 'b=2'] })
      res.end(Buffer.from([0, 255, runs]))
    }
    const worker = createWorker({ space: other, app })
    await worker.start()
    const [one, two] = [await gatewayOn(space), await gatewayOn(other)]
    const first = await one.post({ key: 'k-1' })
    expect([first.status, [...first.body]]).toEqual([201, [0, 255, 1]])
    // The clock of the wall must not show.
    const begun = Date.now()
    await until(() => Date.now() - begun > 1_100, 'another second')
    for (const again of [
      await one.post({ key: 'k-1' }),
      await two.post({ key: 'k-1' }),
      await two.post({ key: '"k-1"' }),
    ]) {
      expect(bytesOf(again)).toEqual(bytesOf(first))
    }
    expect((await one.post({ key: 'k-2' })).headers['x-run']).toBe('2')
    await one.post({})
    await one.post({})
    expect(runs).toBe(4)
    await worker.stop()
  })

  test('stands for one request: another payload is refused, and so is what is no key', async () => {
    const { space, other } = opened()
    const bodies: string[] = []
    const worker = createWorker({
      space: other,
      app: { fetch: async (request: Request) => new Response(`${bodies.push(await request.text())}`) },
    })
    await worker.start()
    const { post } = await gatewayOn(space)
    await post({ key: 'k' })
    const others: Asking[] = [
      { body: 'pay 6' },
      { path: '/pay?twice' },
      { method: 'PATCH' },
      { headers: { 'Content-Type': 'text/plain' } },
    ]
    for (const each of others) {
      const refused = await post({ key: 'k', ...each })
      expect([refused.status, JSON.parse(refused.text).code]).toEqual([422, 'KEY_REUSED'])
      expect(refused.headers['content-type']).toBe('application/problem+json')
    }
    for (const key of ['"open', 'a b', 'x'.repeat(256), '""', 'a,b', '"a" b', '\u00e9']) {
      const refused = await post({ key })
      expect([key, refused.status, JSON.parse(refused.text).code]).toEqual([key, 400, 'KEY_INVALID'])
    }
    expect((await post({ key: 'x'.repeat(255) })).status).toBe(200)
    // It says nothing of what is safe anyway.
    for (const _ of [1, 2]) expect((await post({ key: 'k', method: 'GET', body: '' })).status).toBe(200)
    expect(bodies).toHaveLength(4)
    await worker.stop()
  })

  test('is its own of each principal', async () => {
    const { space, other } = opened()
    let runs = 0
    const worker = createWorker({ space: other, app: { fetch: () => new Response(String(++runs)) } })
    await worker.start()
    const { post } = await gatewayOn(space)
    const who: Record<string, string>[] = [
      { Authorization: 'Bearer ada' },
      { Authorization: 'Bearer bob' },
      { Cookie: 'sid=1' },
      { Cookie: 'sid=2' },
      {},
    ]
    for (const [i, headers] of who.entries()) {
      expect((await post({ key: 'same', headers })).text).toBe(String(i + 1))
      expect((await post({ key: 'same', headers })).text).toBe(String(i + 1))
    }
    // Who says who it is may have other cookies each time.
    expect((await post({ key: 'same', headers: { ...who[0], Cookie: 'x=1' } })).text).toBe('1')
    const mapped = await gatewayOn(other, { idempotency: { principalOf: ({ 'x-user': user }) => user ?? '' } })
    const first = await mapped.post({ key: 'mine', headers: { 'X-User': 'ada', Authorization: 'Bearer 1' } })
    const again = await mapped.post({ key: 'mine', headers: { 'X-User': 'ada', Authorization: 'Bearer 2' } })
    expect(again.text).toBe(first.text)
    await worker.stop()
  })

  test('while its first request is answered the second gets 409; one that lost its client is joined', async () => {
    const { space, other, bounded } = opened()
    const third = await bounded({})
    const gate = signal()
    let runs = 0
    const worker = createWorker({
      space: other,
      app: {
        fetch: async () => {
          runs++
          await gate.promise
          return new Response('once')
        },
      },
    })
    await worker.start()
    const [one, two] = [await gatewayOn(space), await gatewayOn(third)]
    const first = one.post({ key: 'slow' })
    await until(() => runs === 1, 'it to run')
    const busy = await two.post({ key: 'slow' })
    expect([busy.status, busy.headers['retry-after'], JSON.parse(busy.text).code]).toEqual([409, '1', 'KEY_IN_USE'])
    expect((await one.post({ key: 'slow' })).status).toBe(409)
    // Its client goes; whoever asks next waits in its place, at another gateway.
    const { request } = await import('node:http')
    const leaving = request({ port: one.port, method: 'POST', path: '/pay', headers: { 'Idempotency-Key': 'left' } })
    leaving.on('error', () => {})
    leaving.end('pay 5')
    await until(() => runs === 2, 'the other to run')
    leaving.destroy()
    let joined: Promise<Answer> | undefined
    await until(async () => {
      const answer = two.post({ key: 'left', headers: { 'Content-Length': '5' } })
      const settled = await Promise.race([answer.then(({ status }) => status), new Promise((r) => setTimeout(r, 100))])
      if (settled === 409) return false
      joined = answer
      return true
    }, 'it to be joined')
    gate.resolve()
    expect((await first).text).toBe('once')
    expect((await joined)!.text).toBe('once')
    expect(runs).toBe(2)
    await worker.stop()
  })

  test('large bodies, and answers that come bit by bit, are kept whole', async () => {
    const { space, other } = opened()
    let runs = 0
    const worker = createWorker({
      space: other,
      app: async (req, res) => {
        runs++
        let bytes = 0
        for await (const chunk of req) bytes += chunk.length
        res.setHeader('X-Bytes', bytes)
        for (let i = 0; i < 20; i++) {
          res.write('x'.repeat(20_000))
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        res.end('the end')
      },
    })
    await worker.start()
    const one = await gatewayOn(space)
    const body = 'b'.repeat(300_000)
    const first = await one.post({ key: 'large', body })
    expect([first.status, first.headers['x-bytes'], first.body.length]).toEqual([200, '300000', 400_007])
    const two = await gatewayOn(other)
    expect(bytesOf(await two.post({ key: 'large', body }))).toEqual(bytesOf(first))
    expect((await two.post({ key: 'large', body: `${body}!` })).status).toBe(422)
    expect(runs).toBe(1)
    await worker.stop()
  })

  test('an answer is kept for its lease, and a full store is 503', async () => {
    const { space, other } = opened()
    let runs = 0
    const worker = createWorker({ space: other, app: { fetch: () => new Response(`${++runs}`.padEnd(3_000)) } })
    await worker.start()
    const full = await gatewayOn(space, { idempotency: { maxBytes: 2_000 } })
    await full.post({ key: 'kept' })
    const refused = await full.post({ key: 'no-room' })
    expect([refused.status, refused.headers['retry-after'], JSON.parse(refused.text).code]).toEqual([
      503,
      '1',
      'KEYS_FULL',
    ])
    // What is there is still given, and what has no key is still served.
    expect((await full.post({ key: 'kept' })).status).toBe(200)
    expect((await full.post({})).status).toBe(200)
    const brief = await gatewayOn(space, { idempotency: { leaseMs: 200 } })
    expect((await brief.post({ key: 'brief' })).text.trim()).toBe('3')
    await until(async () => (await brief.post({ key: 'brief' })).text.trim() === '4', 'the key to be free again')
    await worker.stop()
  })

  test('an answer whose lease ends while it is asked for is made anew', async () => {
    const { space, other } = opened()
    let runs = 0
    const worker = createWorker({ space: other, app: { fetch: () => new Response(`${++runs}`) } })
    await worker.start()
    const { post } = await gatewayOn(space, { idempotency: { leaseMs: 100 }, limits: { timeoutMs: 5_000 } })
    const statuses = new Set<number>()
    await until(async () => {
      statuses.add((await post({ key: 'again-and-again' })).status)
      return runs >= 10
    }, 'ten answers have been made')
    expect([...statuses]).toEqual([200])
    await worker.stop()
  })

  test('a failure is an answer; one that nobody took in time has none, and may be asked for again', async () => {
    const { space, other } = opened()
    let runs = 0
    const { post } = await gatewayOn(space, { limits: { timeoutMs: 300 } })
    const early = await post({ key: 'nobody' })
    expect([early.status, JSON.parse(early.text).code]).toEqual([504, 'REQUEST_TIMEOUT'])
    const worker = createWorker({
      space: other,
      app: {
        fetch: () => {
          runs++
          throw new Error('broken')
        },
      },
    })
    await worker.start()
    expect((await post({ key: 'bad' })).status).toBe(500)
    expect((await post({ key: 'bad' })).status).toBe(500)
    expect(runs).toBe(1)
    await until(async () => (await post({ key: 'nobody' })).status === 500, 'the other to be run after all')
    expect(runs).toBe(2)
    await worker.stop()
  })

  test('a worker that dies is followed by another: the client hears nothing of it', async () => {
    const { space, other, bounded } = opened()
    const third = await bounded({})
    const runs: string[] = []
    const app = (name: string) => ({
      fetch: async () => {
        runs.push(name)
        if (name === 'first') await new Promise(() => {})
        return new Response(name)
      },
    })
    const dying = createWorker({ space: other, app: app('first'), concurrency: 1, stopTimeoutMs: 0 })
    await dying.start()
    const { post } = await gatewayOn(space)
    const answer = post({ key: 'k' })
    await until(() => runs.length === 1, 'it to run')
    const heir = createWorker({ space: third, app: app('second') })
    await heir.start()
    await space.declareDead(other.presence)
    expect((await answer).text).toBe('second')
    expect((await post({ key: 'k' })).text).toBe('second')
    await dying.stop()
    await heir.stop()
  })
})

describe('keyOf', () => {
  test.each([
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"a \\"quoted\\" \\\\ key"', 'a "quoted" \\ key'],
    ['"a";version=1', 'a'],
    ['  plain  ', 'plain'],
  ])('%s is %s', (value, key) => {
    expect(keyOf('POST', ['Host', 'x', 'Idempotency-Key', value])).toBe(key)
  })

  test('two of them are none', () => {
    const twice = ['Idempotency-Key', 'a', 'idempotency-key', 'a']
    expect(() => keyOf('POST', twice)).toThrow(expect.objectContaining({ status: 400, code: 'KEY_INVALID' }))
  })
})
