/** Behind trusted proxies the app sees their fields as on its own socket, and the gateway knows the client; others claim nothing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import { createGateway, type Gateway, type GatewayOptions, type TrustProxy } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { type App, createWorker, currentRequest } from '../../workers/index.js'
import { type Logged, listening } from '../workers/turns.js'
import { ask, serving } from './serving.js'

type Fields = Record<string, string | string[]>

/** The client of a request with these fields, as the gateway passes it on; the peer is 127.0.0.1. */
async function clientOf(trustProxy: TrustProxy | undefined, headers: Fields): Promise<unknown> {
  await using s = await serving(() => ({}), { trustProxy })
  await ask(s.port, { headers: { Host: 'inner', ...headers } })
  return s.seen[0]!.client
}

const addressOf = async (trustProxy: TrustProxy, addresses: string): Promise<unknown> =>
  ((await clientOf(trustProxy, { 'X-Forwarded-For': addresses })) as { address: string }).address

const linesOf = ({ lines }: { lines: Logged[] }, message: RegExp): Logged[] =>
  lines.filter((line) => message.test(line.message))

describe('from a trusted peer', () => {
  test('all fields reach the app unchanged, and its socket stays the peer', async () => {
    await using s = await serving(() => ({}), { trustProxy: 'loopback' })
    const fields = {
      'X-Forwarded-For': ['203.0.113.7', '10.0.0.1'],
      'X-Forwarded-Proto': 'https',
      'x-forwarded-HOST': 'shop.example',
      'X-Forwarded-Port': '8443',
      'X-Forwarded-Prefix': '/shop',
      'X-Real-IP': '203.0.113.7',
      Forwarded: 'for=203.0.113.7;proto=https',
    }
    await ask(s.port, { headers: { ...fields, Connection: 'close, X-Forwarded-Proto', X_Forwarded_For: '6.6.6.6' } })
    const sent = Object.entries(fields).flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value]))
    expect(s.seen[0]!.headers.slice(0, sent.length)).toEqual(sent)
    expect(s.seen[0]!.headers.join()).not.toContain('6.6.6.6')
    expect(s.seen[0]).toMatchObject({ peer: '127.0.0.1', secure: false })
  })

  test.each<[TrustProxy, string, string]>([
    ['loopback', '203.0.113.7', '203.0.113.7'],
    ['loopback', '6.6.6.6, 203.0.113.7', '203.0.113.7'],
    ['private', '6.6.6.6, 203.0.113.7, 10.1.2.3, fd00::1', '203.0.113.7'],
    ['loopback, 10.0.0.0/8', '203.0.113.7,10.1.2.3', '203.0.113.7'],
    [['127.0.0.1', '2001:db8::/32'], '203.0.113.7,2001:db8::1', '203.0.113.7'],
    [1, '6.6.6.6, 203.0.113.7', '203.0.113.7'],
    [2, '203.0.113.7, 10.0.0.1', '203.0.113.7'],
    [9, '203.0.113.7, 10.0.0.1', '203.0.113.7'],
    [true, '203.0.113.7, 10.0.0.1', '203.0.113.7'],
    [(address, hop) => hop === 0 || address.startsWith('10.'), '6.6.6.6, 203.0.113.7, 10.0.0.1', '203.0.113.7'],
    ['loopback', '203.0.113.7:4711', '203.0.113.7'],
    ['loopback', '[2001:db8::7]:4711', '2001:db8::7'],
    ['loopback', '::ffff:203.0.113.7', '203.0.113.7'],
    ['loopback', 'unknown', '127.0.0.1'],
    [2, '203.0.113.7, <script>', '127.0.0.1'],
    ['loopback', '', '127.0.0.1'],
    ['loopback', ',', '127.0.0.1'],
  ])('trustProxy %p and X-Forwarded-For %p: the client is %s', async (trustProxy, addresses, client) => {
    expect(await addressOf(trustProxy, addresses)).toBe(client)
  })

  test.each<[string, Fields, object]>([
    [
      'X-Forwarded-Proto and -Host',
      { 'X-Forwarded-Proto': 'https, http', 'X-Forwarded-Host': 'shop.example:8443, b' },
      { protocol: 'https', host: 'shop.example:8443' },
    ],
    ['the protocol of a WebSocket', { 'X-Forwarded-Proto': 'wss' }, { protocol: 'https', host: 'inner' }],
    [
      'a protocol and a host that are malformed',
      { 'X-Forwarded-Proto': 'gopher', 'X-Forwarded-Host': 'a/b' },
      { protocol: 'http', host: 'inner' },
    ],
    ['X-Real-IP', { 'X-Real-IP': '203.0.113.7' }, { address: '203.0.113.7', protocol: 'http' }],
    [
      'Forwarded',
      { Forwarded: 'for=6.6.6.6;proto=http, For="[2001:db8::7]:1";proto=https;host=shop.example' },
      { address: '2001:db8::7', protocol: 'https', host: 'shop.example' },
    ],
    [
      'Forwarded with a hidden client',
      { Forwarded: 'for=_hidden;proto=https' },
      { address: '127.0.0.1', protocol: 'https' },
    ],
    [
      'a malformed Forwarded',
      { Forwarded: 'for="203.0.113.7' },
      { address: '127.0.0.1', protocol: 'http', host: 'inner' },
    ],
    [
      'X-Forwarded-For beside a Forwarded of the client',
      { 'X-Forwarded-For': '203.0.113.7', Forwarded: 'for=6.6.6.6;proto=https', 'X-Real-IP': '6.6.6.6' },
      { address: '203.0.113.7', protocol: 'http', host: 'inner' },
    ],
  ])('the client is known by %s', async (_what, headers, client) => {
    expect(await clientOf('loopback', headers)).toMatchObject(client)
  })

  test.each<[string, unknown]>([
    ['a promise', (_address: string, hop: number) => hop === 0 || Promise.resolve(true)],
    ['1', (_address: string, hop: number) => (hop === 0 ? true : 1)],
  ])('a function trusts by returning true, not %s', async (_what, trust) => {
    expect(await addressOf(trust as TrustProxy, '6.6.6.6, 203.0.113.7')).toBe('203.0.113.7')
  })

  test('of a long list the nearest 32 are looked at', async () => {
    let looks = 0
    const trust = (): boolean => ++looks > 0
    expect(await addressOf(trust, `6.6.6.6${', 10.0.0.1'.repeat(1_000)}`)).toBe('10.0.0.1')
    expect(looks).toBe(32)
  })

  test('the log and the principal of a key have the client', async () => {
    const log = listening()
    const principals: unknown[] = []
    const principalOf = (_fields: object, client: unknown): string => String(principals.push(client))
    await using s = await serving(() => ({}), { trustProxy: 1, logger: log, idempotency: { principalOf } })
    const headers = { Host: 'inner', 'Idempotency-Key': 'a' }
    await ask(s.port, { method: 'POST', headers })
    await ask(s.port, { method: 'POST', headers: { ...headers, 'X-Forwarded-For': '203.0.113.7' } })
    const direct = { address: '127.0.0.1', protocol: 'http', host: 'inner' }
    expect(principals).toEqual([direct, { ...direct, address: '203.0.113.7' }])
    await s.gateway.stop()
    expect(linesOf(log, /^request$/).map(({ fields }) => fields.client)).toEqual(['127.0.0.1', '203.0.113.7'])
  })
})

describe('from a peer that is not trusted', () => {
  const CLAIMS = { 'X-Forwarded-For': '6.6.6.6', 'X-Real-IP': '6.6.6.6', Forwarded: 'for=6.6.6.6' }

  test.each<[string, TrustProxy | undefined]>([
    ['no setting', undefined],
    ['false', false],
    ['0', 0],
    ['another address', '192.0.2.1'],
    ['a function that denies', () => false],
  ])('all fields are dropped: %s', async (_what, trustProxy) => {
    await using s = await serving(() => ({}), { trustProxy })
    await ask(s.port, { headers: CLAIMS })
    expect(s.seen[0]!.headers.join()).not.toMatch(/6\.6\.6\.6/)
    expect(s.seen[0]!.client).toBeUndefined()
  })

  test('the first time it is a private one, one warning names the setting; with false there is none', async () => {
    const log = listening()
    const options: Partial<GatewayOptions> = { logger: log }
    await using s = await serving(() => ({}), options)
    await ask(s.port)
    expect(linesOf(log, /forwarded/)).toEqual([])
    await ask(s.port, { headers: CLAIMS })
    await ask(s.port, { headers: CLAIMS })
    expect(linesOf(log, /--trust-proxy \(trustProxy\)/)).toMatchObject([
      { level: 'warn', fields: { peer: '127.0.0.1' } },
    ])
    await using told = await serving(() => ({}), { ...options, trustProxy: false })
    await ask(told.port, { headers: CLAIMS })
    expect(linesOf(log, /forwarded/)).toHaveLength(1)
  })
})

describe('an app', () => {
  let space: Space
  let gateway: Gateway
  const stops: (() => void)[] = []
  afterAll(async () => {
    await space.close()
    for (const stop of stops) stop()
  })

  const portOf = (url: string): number => Number(new URL(url).port)
  const throughGateway = async (app: App, trustProxy: TrustProxy): Promise<number> => {
    await space?.close()
    space = await openSpace('memory:')
    gateway = createGateway({ space, port: 0, trustProxy })
    await createWorker({ space, app }).start()
    await gateway.start()
    return portOf(gateway.url)
  }
  const direct = async (app: Express): Promise<number> => {
    const server = createServer(app).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    stops.push(() => server.close())
    return (server.address() as AddressInfo).port
  }

  let fetched: App
  beforeAll(() => {
    fetched = { fetch: (request: Request) => Response.json([request.url, currentRequest().client]) }
  })

  test.each<[TrustProxy]>([[false], [1], [2], ['loopback'], ['loopback, 10.0.0.0/8'], [true]])(
    'of Express judges with its own trust proxy as on its own socket: %p',
    async (trust) => {
      const app = express()
      app.set('trust proxy', trust)
      app.get('/', ({ ip, ips, protocol, secure, hostname, host, subdomains, socket }, res) => {
        res.json({ ip, ips, protocol, secure, hostname, host, subdomains, peer: socket.remoteAddress })
      })
      const ports = [await direct(app), await throughGateway(app, 'loopback')]
      const requests: Fields[] = [
        {},
        {
          'X-Forwarded-For': '6.6.6.6, 203.0.113.7, 10.0.0.1',
          'X-Forwarded-Proto': 'https',
          'X-Forwarded-Host': 'a.b.example',
        },
        { 'X-Forwarded-For': ['203.0.113.7', 'unknown'], 'X-Forwarded-Proto': 'wss' },
        { 'X-Forwarded-Proto': 'https,http', 'X-Forwarded-Host': 'shop.example:81, other' },
      ]
      for (const headers of requests) {
        const [own, ours] = await Promise.all(
          ports.map((port) => ask(port, { headers: { Host: 'inner', ...headers } })),
        )
        expect(JSON.parse(ours!.text)).toEqual(JSON.parse(own!.text))
      }
    },
  )

  test('{ fetch } has the URL that the client asked for, and currentRequest().client', async () => {
    const port = await throughGateway(fetched, 'loopback')
    const forwarded = {
      'X-Forwarded-For': '203.0.113.7',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'shop.example',
    }
    const { text } = await ask(port, { path: '/cart?a=1', headers: forwarded })
    const client = { address: '203.0.113.7', protocol: 'https', host: 'shop.example' }
    expect(JSON.parse(text)).toEqual(['https://shop.example/cart?a=1', client])
    const wary = await throughGateway(fetched, false)
    const host = `127.0.0.1:${wary}`
    const own = { address: '127.0.0.1', protocol: 'http', host }
    expect(JSON.parse((await ask(wary, { headers: forwarded })).text)).toEqual([`http://${host}/`, own])
  })
})
