/** With the PROXY protocol a connection has the ends that its trusted proxy names, and nothing else may name any. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { GatewayOptions } from '../../gateway/index.js'
import { readProxyHeader } from '../../gateway/proxy-header.js'
import { openSpace } from '../../src/open.js'
import { type App, createWorker } from '../../workers/index.js'
import { until } from '../support/until.js'
import { listening } from '../workers/turns.js'
import { type Served, serving, signal, statusOf, wire } from './serving.js'

const TRUSTED: Partial<GatewayOptions> = { trustProxy: 'loopback', proxyProtocol: true }
const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

const v2 = (command: number, family: number, body: readonly number[]): Buffer => {
  const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n....', 'latin1')
  head.set([command, family, body.length >> 8, body.length & 255], 12)
  return Buffer.concat([head, Buffer.from(body)])
}
const PORTS = [0x30, 0x39, 1, 0xbb]
const IPV4 = [203, 0, 113, 7, 192, 0, 2, 1, ...PORTS]
const from6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
const IPV6 = [...from6, ...from6, ...PORTS]
const MAPPED = [...Array(10).fill(0), 255, 255, 203, 0, 113, 7, ...from6, ...PORTS]
const TLS = [0x20, 0, 5, 1, 0, 0, 0, 0]
const NO_TLS = [0x20, 0, 5, 0, 0, 0, 0, 0]
const NAME = [0x02, 0, 1, 97]

const V1 = Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 12345 443\r\n')
const own = { peer: '127.0.0.1', secure: false }
const client = { peer: '203.0.113.7', peerPort: 12345, localAddress: '192.0.2.1', localPort: 443, secure: false }
const client6 = { peer: '2001:db8::7', peerPort: 12345, localAddress: '2001:db8::7', localPort: 443, secure: false }

async function sent(s: Served, ...parts: (string | Buffer)[]): Promise<string> {
  const line = await wire(s.port)
  for (const part of parts) line.send(part)
  const text = await line.receive()
  line.socket.destroy()
  return text
}

describe('from a trusted proxy', () => {
  test.each<[string, Buffer, object]>([
    ['version 1, IPv4', V1, client],
    ['version 1, IPv6', Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::7 12345 443\r\n'), client6],
    ['version 1, unknown', Buffer.from('PROXY UNKNOWN\r\n'), own],
    ['version 1, unknown with addresses', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), own],
    ['version 2, IPv4', v2(0x21, 0x11, IPV4), client],
    ['version 2, IPv6', v2(0x21, 0x21, IPV6), client6],
    ['version 2, a mapped address', v2(0x21, 0x21, MAPPED), { ...client6, peer: '203.0.113.7' }],
    ['version 2, the check of a proxy', v2(0x20, 0x00, []), own],
    ['version 2, a local connection with addresses', v2(0x20, 0x11, IPV4), own],
    ['version 2, a Unix socket', v2(0x21, 0x31, Array(216).fill(1)), own],
    ['version 2, unspecified', v2(0x21, 0x00, [1, 2, 3]), own],
    ['version 2, a client of TLS', v2(0x21, 0x11, [...IPV4, ...NAME, ...TLS]), { ...client, secure: true }],
    ['version 2, a client without TLS', v2(0x21, 0x11, [...IPV4, ...NO_TLS]), client],
  ])('%s', async (_what, header, ends) => {
    await using s = await serving(() => ({}), TRUSTED)
    expect(statusOf(await sent(s, Buffer.concat([header, Buffer.from(GET)])))).toBe(200)
    expect(s.seen).toMatchObject([ends])
  })

  test('a header that comes byte by byte, then a request and another', async () => {
    await using s = await serving(() => ({}), TRUSTED)
    const line = await wire(s.port)
    line.socket.setNoDelay(true)
    for (const byte of v2(0x21, 0x11, IPV4)) await new Promise((resolve) => line.socket.write(Buffer.of(byte), resolve))
    line.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
    await line.receive((text) => text.includes('\r\n\r\n'))
    line.send(GET)
    await line.receive()
    expect(s.seen).toMatchObject([client, client])
  })

  test('a large body right behind the header arrives as it was sent, and a request after it', async () => {
    const bodies: Buffer[] = []
    const space = await openSpace('memory:')
    const app: App = async (req: IncomingMessage, res: ServerResponse) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) {
        chunks.push(chunk as Buffer)
        // A reader that is slower than the client: the connection is paused again and again.
        await new Promise(setImmediate)
      }
      if (req.method === 'POST') bodies.push(Buffer.concat(chunks))
      res.end()
    }
    await createWorker({ space, app }).start()
    await using s = await serving(null, { ...TRUSTED, space, limits: { bodyBytes: 1 << 24 } })
    const body = randomBytes(8 << 20)
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`
    expect((await sent(s, Buffer.concat([V1, Buffer.from(head), body]), GET)).match(/HTTP\/1.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 200',
    ])
    expect(bodies[0]!.equals(body)).toBe(true)
  })

  test('an upgrade that is not served stays on its connection', async () => {
    await using s = await serving(() => ({}), TRUSTED)
    const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n\r\n'
    expect(statusOf(await sent(s, V1, upgrade))).toBe(200)
    expect(s.seen).toMatchObject([client])
  })

  test.each(['loopback', 1])('forwarded fields are then those of its client, and dropped: %p', async (trustProxy) => {
    await using s = await serving(() => ({}), { ...TRUSTED, trustProxy })
    await sent(s, V1, GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n'))
    expect(s.seen[0]!.headers.join()).not.toContain('6.6.6.6')
  })

  test.each([['loopback, 203.0.113.7'], [2]])('fields of a further trusted proxy count: %p', async (trustProxy) => {
    await using s = await serving(() => ({}), { ...TRUSTED, trustProxy })
    await sent(s, V1, GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.1\r\n\r\n'))
    expect(s.seen[0]).toMatchObject({ ...client, client: { address: '198.51.100.1' } })
  })

  test.each<[string, string | Buffer]>([
    ['no header', GET],
    ['an unknown family', 'PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n'],
    ['an address of another family', 'PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n'],
    ['an address that is none', 'PROXY TCP4 256.0.0.1 192.0.2.1 1 2\r\n'],
    ['a port that is too large', 'PROXY TCP4 203.0.113.7 192.0.2.1 65536 2\r\n'],
    ['a port with a zero before it', 'PROXY TCP4 203.0.113.7 192.0.2.1 01 2\r\n'],
    ['no ports', 'PROXY TCP4 203.0.113.7 192.0.2.1\r\n'],
    ['two spaces', 'PROXY TCP4  203.0.113.7 192.0.2.1 1 2\r\n'],
    ['a line that does not end', `PROXY UNKNOWN ${'x'.repeat(107)}`],
    ['another version', v2(0x31, 0x11, IPV4)],
    ['an unknown command', v2(0x22, 0x11, IPV4)],
    ['datagrams', v2(0x21, 0x12, IPV4)],
    ['too few bytes of addresses', v2(0x21, 0x11, IPV4.slice(1))],
    ['an extension that is longer than the header', v2(0x21, 0x11, [...IPV4, 0x20, 0, 9, 1])],
    ['half an extension', v2(0x21, 0x11, [...IPV4, 0x20])],
    ['an extension for TLS without a value', v2(0x21, 0x11, [...IPV4, 0x20, 0, 0])],
    ['a length over 4 KiB', v2(0x21, 0x11, [...IPV4, ...Array(4_096).fill(0)]).subarray(0, 16)],
  ])('%s: closed, with nothing answered and nothing run', async (_what, bytes) => {
    const logger = listening()
    await using s = await serving(() => ({}), { ...TRUSTED, logger })
    expect(await sent(s, bytes)).toBe('')
    expect(await sent(s, bytes)).toBe('')
    expect(s.seen).toEqual([])
    expect(logger.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { peer: '127.0.0.1' } }])
    expect(statusOf(await sent(s, V1, GET))).toBe(200)
  })

  test('a function that throws fails requests that it is asked about, not the gateway', async () => {
    const trustProxy = (): boolean => {
      throw new Error('thrown by the user')
    }
    await using s = await serving(() => ({}), { ...TRUSTED, trustProxy })
    expect(statusOf(await sent(s, GET.replace('Host', 'X-Forwarded-For: 6.6.6.6\r\nHost')))).toBe(500)
    expect(statusOf(await sent(s, GET))).toBe(200)
  })

  test('a header that does not come is waited for only so long', async () => {
    await using s = await serving(() => ({}), TRUSTED)
    expect(await sent(s, V1.subarray(0, 20))).toBe('')
    expect(s.seen).toEqual([])
  })

  test('a stop does not wait for a connection that has sent a header alone', async () => {
    const answering = signal()
    const s = await serving(() => answering.promise.then(() => ({})), { ...TRUSTED, limits: { timeoutMs: 3_600_000 } })
    const silent = await wire(s.port)
    silent.send(V1)
    const busy = sent(s, V1, GET)
    await until(() => s.seen.length === 1, 'a request is under way')
    const stopped = s.gateway.stop()
    expect(await silent.receive()).toBe('')
    answering.resolve()
    expect(statusOf(await busy)).toBe(200)
    await stopped
    await s.space.close()
  })
})

describe('from a stranger', () => {
  test.each<[string, Buffer]>([
    ['version 1', V1],
    ['version 2', v2(0x21, 0x11, IPV4)],
  ])('a header of %s is refused, and HTTP is served', async (_what, header) => {
    await using s = await serving(() => ({}), { ...TRUSTED, trustProxy: '192.0.2.1' })
    expect(statusOf(await sent(s, header, GET))).toBe(501)
    expect(s.seen).toEqual([])
    expect(statusOf(await sent(s, GET))).toBe(200)
    expect(s.seen).toMatchObject([own])
  })
})

test('any bytes are a header within its bounds, incomplete or malformed', () => {
  const seeds = [V1, v2(0x21, 0x11, [...IPV4, ...TLS]), v2(0x21, 0x21, IPV6), v2(0x20, 0, [])]
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.nat(60), fc.uint8Array({ maxLength: 8 }), fc.nat(5_000))
    .map(([seed, at, bytes, length]) =>
      Buffer.concat([seed.subarray(0, at), bytes, seed.subarray(at + bytes.length), Buffer.alloc(length)]),
    )
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 }).map(Buffer.from)), (bytes) => {
      const header = readProxyHeader(bytes)
      if (header === 'malformed') return
      if (header === 'incomplete') return void expect(bytes.length).toBeLessThan(4_096)
      expect(header.length).toBeLessThanOrEqual(Math.min(bytes.length, 4_096))
      for (const end of Object.values(header.ends ?? {})) expect(isIP(end.address)).toBeGreaterThan(0)
    }),
    { numRuns: 3_000 },
  )
})
