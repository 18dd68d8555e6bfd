/** The drain delay of a gateway: what a stop does before it closes the port. */
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { WebSocket, WebSocketServer } from 'ws'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { createWorker } from '../../workers/index.js'
import { createAuthority } from '../support/certificates.js'
import { failOnLeaks } from '../support/leaks.js'
import { scratch } from '../support/scratch.js'
import { ask, serving, signal, wire } from './serving.js'

const { cert, key } = createAuthority(scratch('draining').folder, 'authority').sign('server', 'IP:127.0.0.1')
const files = { certFile: cert, keyFile: key }

/** Such beginnings end by themselves after 5 to 9 s; the bound of a stop is far below. A timer of the same event loop. */
const BEFORE_THEIR_OWN_END_MS = 4_500

const refused = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(false)
    }).on('error', () => resolve(true))
  })

describe('a gateway with a drain delay', () => {
  test('serves old and new connections until the delay is over, and closes each with its next answer', async () => {
    await using s = await serving(() => ({}), { drainDelayMs: 300 })
    const line = await wire(s.port)
    line.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await line.receive((text) => text.includes('\r\n\r\n'))).toMatch(/connection: keep-alive/i)
    const stopped = s.gateway.stop()
    line.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await line.receive()).match(/connection: .*/gi)).toEqual(['Connection: keep-alive', 'Connection: close'])
    const answer = await ask(s.port)
    expect([answer.status, answer.headers.connection]).toEqual([200, 'close'])
    await Promise.all([stopped, s.gateway.stop()])
    expect(await refused(s.port)).toBe(true)
  })

  test('answers what is in flight when the delay is over', async () => {
    const begun = signal()
    const closed = signal()
    await using s = await serving(
      async () => {
        begun.resolve()
        await closed.promise
        return { body: Buffer.from('late') }
      },
      { drainDelayMs: 50 },
    )
    const answer = ask(s.port)
    await begun.promise
    const stopped = s.gateway.stop()
    while (!(await refused(s.port))) await new Promise(setImmediate)
    closed.resolve()
    expect((await answer).text).toBe('late')
    await stopped
  })

  test('opens WebSockets during the delay, and closes them with 1012 behind it', async () => {
    await using space = await openSpace('memory:')
    const gateway = createGateway({ space, port: 0, drainDelayMs: 300 })
    await gateway.start()
    const server = createServer()
    new WebSocketServer({ server })
    await createWorker({ space, app: server }).start()
    const stopped = gateway.stop()
    const socket = new WebSocket(gateway.url.replace('http', 'ws'))
    const events: unknown[] = []
    socket.on('open', () => events.push('open'))
    await new Promise((resolve) => socket.on('close', resolve).on('close', (code) => events.push(code)))
    expect(events).toEqual(['open', 1012])
    await stopped
  })

  test('refuses a request whose head is not complete, however long its timeout is', async () => {
    await using s = await serving(() => ({}), { limits: { timeoutMs: 3_600_000 } })
    const line = await wire(s.port)
    line.send('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT')
    await line.receive((text) => text.includes('\r\n\r\n'))
    const stopped = s.gateway.stop()
    expect((await line.receive()).match(/HTTP\/1.1 .../g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 408'])
    await stopped
  })

  test('cuts an endless answer to a handshake that the app has declined', async () => {
    await using space = await openSpace('memory:')
    const gateway = createGateway({ space, port: 0, limits: { timeoutMs: 500 } })
    await gateway.start()
    await createWorker({ space, app: createServer((_req, res) => void res.write('begun')), stopTimeoutMs: 0 }).start()
    const line = await wire(Number(new URL(gateway.url).port))
    const handshake = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
    line.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${handshake}\r\n`)
    await line.receive((text) => text.includes('begun'))
    await gateway.stop()
    expect(await line.receive()).toMatch(/^HTTP\/1.1 200/)
  })

  test.each([
    ['a header of the PROXY protocol', 'PROXY', { proxyProtocol: true, trustProxy: true }],
    ['a preface of HTTP/2', 'PR', { h2c: true }],
    ['a handshake of TLS', '\x16\x03\x01', { tls: { certificates: [files] } }],
  ])('cuts a connection with an incomplete beginning at its bound: %s', async (_what, bytes, options) => {
    await using s = await serving(() => ({}), { ...options, limits: { timeoutMs: 100 } })
    const line = await wire(s.port)
    line.send(bytes)
    const late = new Promise((resolve) => setTimeout(resolve, BEFORE_THEIR_OWN_END_MS, 'late').unref())
    expect(await Promise.race([s.gateway.stop(), late])).toBeUndefined()
    expect(await line.receive()).toBe('')
  })

  test('that was never started stops without a delay', async () => {
    await using space = await openSpace('memory:')
    await createGateway({ space, drainDelayMs: 2 ** 31 - 1 }).stop()
  })

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '5'])('cannot have %p', async (drainDelayMs) => {
    await using space = await openSpace('memory:')
    const create = (): unknown => createGateway({ space, drainDelayMs: drainDelayMs as number })
    expect(create).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

failOnLeaks()
