/** Upgrades that are refused, left, or to other protocols: each end sees what it would see without takespace. */
import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, test } from '@jest/globals'
import { WebSocketServer } from 'ws'
import { createGateway, type Gateway, type GatewayOptions } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { exchangeBytes, statusOf, wire } from './serving.js'

let space: Space
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) server.closeAllConnections()
  await space.close()
})

async function serving(server: Server, options: Partial<GatewayOptions> = {}): Promise<number> {
  space = await openSpace('memory:')
  const gateway: Gateway = createGateway({ space, port: 0, ...options })
  await gateway.start()
  await createWorker({ space, app: server }).start()
  return Number(new URL(gateway.url).port)
}

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const upgrading = (listener: (socket: Duplex) => void): Server =>
  createServer((_req, res) => void res.end('plain')).on('upgrade', (_req, socket) => listener(socket))

const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

const headOf = (fields: Record<string, string>, line = 'GET /ws HTTP/1.1'): string =>
  `${line}\r\nHost: a\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`

interface Heard {
  readonly status: number | undefined
  readonly reason: string | undefined
  readonly body: string
  /** False if the connection ended before the response did. */
  readonly complete: boolean
}

/** What an HTTP client hears of an upgrade that is refused. */
const hear = (port: number): Promise<Heard> =>
  new Promise((resolve, reject) => {
    const req = request({ port, host: '127.0.0.1', headers: HANDSHAKE, agent: false }, (res) => {
      let body = ''
      const end = (): void => {
        resolve({ status: res.statusCode, reason: res.statusMessage, body, complete: res.complete })
        req.destroy()
      }
      res.on('data', (bytes) => {
        body += bytes
      })
      res.on('end', end).on('error', end)
    })
    req.on('error', reject).end()
  })

const REFUSAL = 'HTTP/1.1 401 Unauthorized\r\n'
const inParts = (socket: Duplex, parts: readonly string[]): void => {
  const [part, ...rest] = parts
  if (part === undefined) return
  socket.write(part)
  setTimeout(() => inParts(socket, rest), 20)
}

const REFUSALS: Record<string, (socket: Duplex) => void> = {
  'a length, and the socket left open': (socket) => socket.write(`${REFUSAL}Content-Length: 3\r\n\r\nfoo`),
  'a length, byte by byte': (socket) => inParts(socket, [`${REFUSAL}Content-`, 'Length: 3\r\n\r', '\n', ...'foo']),
  'no body, and the socket left open': (socket) => socket.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
  '204, and the socket left open': (socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
  'less than its length': (socket) => socket.end(`${REFUSAL}Content-Length: 9\r\n\r\nfoo`),
  'less than its length, slowly': (socket) => {
    inParts(socket, [`${REFUSAL}Content-Length: 9\r\n\r\nfoo`])
    setTimeout(() => socket.end(), 50)
  },
  chunks: (socket) => socket.end(`${REFUSAL}Transfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n0\r\n\r\n`),
  'chunks, and the socket left open': (socket) =>
    socket.write(`${REFUSAL}Transfer-Encoding: chunked\r\n\r\n3;x=1\r\nfoo\r\nA\r\n0123456789\r\n0\r\nX: 1\r\n\r\n`),
  'chunks, byte by byte': (socket) =>
    inParts(socket, [`${REFUSAL}transfer-encoding: Chunked\r\n\r\n`, ...'3\r\nfoo\r\n1\r\n!\r\n0\r\n\r\n']),
  'chunks without the last one': (socket) => socket.end(`${REFUSAL}Transfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n`),
  'neither length nor chunks': (socket) => socket.end(`${REFUSAL}X: 1\r\n\r\nfoo`),
  'a large body': (socket) => socket.end(`${REFUSAL}Content-Length: 300000\r\n\r\n${'x'.repeat(300_000)}`),
  'a large body without a length': (socket) => socket.end(`${REFUSAL}\r\n${'x'.repeat(300_000)}`),
  'an interim response first': (socket) =>
    socket.end(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${REFUSAL}Content-Length: 3\r\n\r\nfoo`),
  'another reason': (socket) => socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n'),
}

describe('an upgrade that an app refuses by hand', () => {
  test.each(Object.entries(REFUSALS))('is heard as from Node: %s', async (_name, refuse) => {
    const direct = await hear(await listening(upgrading(refuse)))
    expect(await hear(await serving(upgrading(refuse)))).toEqual(direct)
  })

  test('is heard without the bytes behind its end', async () => {
    const port = await serving(upgrading((socket) => socket.end(`${REFUSAL}Content-Length: 3\r\n\r\nfoobar`)))
    expect(await hear(port)).toMatchObject({ status: 401, body: 'foo', complete: true })
  })

  test('is heard while its body is still written', async () => {
    let more: Duplex | undefined
    const port = await serving(
      upgrading((socket) => {
        more = socket
        socket.write(`${REFUSAL}\r\nfirst`)
      }),
    )
    const line = await wire(port)
    line.send(headOf(HANDSHAKE))
    await line.receive((text) => text.includes('first'))
    more!.end('last')
    expect(await line.receive()).toMatch(/last/)
  })

  test('closes the socket of the app, once its client has the answer', async () => {
    let closed = false
    const port = await serving(
      upgrading((socket) => {
        socket.on('close', () => {
          closed = true
        })
        socket.write(`${REFUSAL}Content-Length: 0\r\n\r\n`)
      }),
    )
    expect((await hear(port)).status).toBe(401)
    await until(() => closed, 'the socket is closed')
  })

  test('is withdrawn if its client leaves while it is written', async () => {
    let closed = false
    const port = await serving(
      upgrading((socket) => {
        socket.write(`${REFUSAL}\r\nfirst`)
        socket.on('close', () => {
          closed = true
        })
      }),
    )
    const line = await wire(port)
    line.send(headOf(HANDSHAKE))
    await line.receive((text) => text.includes('first'))
    line.socket.destroy()
    await until(() => closed, 'the app sees it')
    await until(() => space.streams.size === 0, 'no stream is left')
  })

  test.each([
    ['a chunk size', `${REFUSAL}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a length', `${REFUSAL}Content-Length: 3, 4\r\n\r\nfoo`],
    ['a transfer coding', `${REFUSAL}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['a status line', 'no\r\n\r\n'],
  ])('is 502 if %s is malformed', async (_what, text) => {
    expect((await hear(await serving(upgrading((socket) => socket.end(text))))).status).toBe(502)
  })
})

describe('a client that leaves before it has an answer', () => {
  test.each(['destroy', 'resetAndDestroy'] as const)('is noticed by the app: %s', async (leave) => {
    const events: string[] = []
    const port = await serving(
      upgrading((socket) => {
        socket.on('close', () => events.push('close'))
        events.push('asked')
      }),
    )
    const client: Socket = connect(port, '127.0.0.1', () => client.write(headOf(HANDSHAKE)))
    client.on('error', () => {})
    await until(() => events.length === 1, 'the app is asked')
    client[leave]()
    await until(() => events.includes('close'), 'the app sees it')
    await until(() => space.streams.size === 0, 'no stream is left')
  })

  test('is noticed if it has sent bytes ahead', async () => {
    let closed = false
    const port = await serving(
      upgrading((socket) => {
        socket.on('close', () => {
          closed = true
        })
      }),
    )
    const client: Socket = connect(port, '127.0.0.1', () => client.end(`${headOf(HANDSHAKE)}${'x'.repeat(20_000)}`))
    client.on('close', () => client.destroy()).on('error', () => {})
    setImmediate(() => client.destroySoon())
    await until(() => closed, 'the app sees it')
  })

  test('and has only closed its side, gets its answer; the app sees the end', async () => {
    const port = await serving(
      upgrading((socket) => socket.resume().on('end', () => socket.end(`${REFUSAL}Content-Length: 3\r\n\r\nfoo`))),
    )
    const line = await wire(port)
    line.send(headOf(HANDSHAKE))
    line.socket.end()
    expect(await line.receive()).toMatch(/^HTTP\/1\.1 401 .*foo$/s)
  })
})

describe('an invalid handshake', () => {
  const { Upgrade, Connection, ...rest } = HANDSHAKE
  const without = (name: keyof typeof HANDSHAKE): Record<string, string> =>
    Object.fromEntries(Object.entries(HANDSHAKE).filter(([key]) => key !== name))
  const HANDSHAKES: Record<string, string> = {
    POST: headOf({ ...HANDSHAKE, 'Content-Length': '0' }, 'POST /ws HTTP/1.1'),
    'no key': headOf(without('Sec-WebSocket-Key')),
    'a key that is too short': headOf({ ...HANDSHAKE, 'Sec-WebSocket-Key': 'abc' }),
    'no version': headOf(without('Sec-WebSocket-Version')),
    'version 7': headOf({ ...HANDSHAKE, 'Sec-WebSocket-Version': '7' }),
    'version 14': headOf({ ...HANDSHAKE, 'Sec-WebSocket-Version': '14' }),
    'a malformed subprotocol': headOf({ ...HANDSHAKE, 'Sec-WebSocket-Protocol': 'a,,b' }),
    'another path': headOf(HANDSHAKE, 'GET /other HTTP/1.1'),
  }
  const app = (): Server => {
    const server = createServer((_req, res) => void res.end('plain'))
    new WebSocketServer({ server, path: '/ws' })
    return server
  }

  test.each(Object.entries(HANDSHAKES))('has the status that ws gives: %s', async (_name, text) => {
    const direct = await exchangeBytes(await listening(app()), text)
    const through = await exchangeBytes(await serving(app()), text)
    expect(statusOf(through)).toBe(statusOf(direct))
    const versions = /sec-websocket-version: (.*)\r\n/i
    if (versions.test(direct)) expect(versions.exec(through)?.[1]).toBe(versions.exec(direct)?.[1])
  })

  test('by HTTP/1.0, which has no upgrades, never becomes 101', async () => {
    const text = await exchangeBytes(await serving(app()), headOf({ Upgrade, Connection, ...rest }, 'GET /ws HTTP/1.0'))
    expect(text).toMatch(/^HTTP\/1\.1 426 .*upgrade: websocket\r\n/is)
  })
})

describe('another protocol', () => {
  const echo = (server: Server): Server =>
    server.on('upgrade', (req, socket: Duplex) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\n`)
      socket.pipe(socket)
    })
  const plain = (): Server => createServer((_req, res) => void res.end('plain'))
  const ask = (upgrade: string, line?: string): string => headOf({ Connection: 'Upgrade', Upgrade: upgrade }, line)

  test.each([
    ['tcp', 'GET / HTTP/1.1', 'tcp'],
    ['TCP', 'POST / HTTP/1.1', 'TCP'],
    ['tcp/3, h2c', 'GET / HTTP/1.1', 'tcp/3'],
    ['foo/2, foo/1', 'GET / HTTP/1.1', 'foo/2'],
  ])('is let through by its name: %s', async (asked, line, given) => {
    const port = await serving(echo(plain()), { upgradeProtocols: ['Tcp', 'foo/2'] })
    const client = await wire(port)
    client.send(`${ask(asked, line)}early `)
    const head = await client.receive((text) => text.includes('early '))
    expect(head).toMatch(new RegExp(`^HTTP/1.1 101 .*Upgrade: ${given}\r\n`, 's'))
    client.send('late')
    await client.receive((text) => text.endsWith('early late'))
    client.socket.end()
    await client.receive()
    await until(() => space.streams.size === 0, 'no stream is left')
  })

  test.each(['foo/1', 'other', 'h2c', 'tcpip'])('is served by HTTP/1.1 if it is not named: %s', async (asked) => {
    const port = await serving(echo(plain()), { upgradeProtocols: ['tcp', 'foo/2'] })
    const client = await wire(port)
    client.send(ask(asked))
    expect(await client.receive((text) => text.includes('plain'))).toMatch(/^HTTP\/1\.1 200 /)
    client.socket.destroy()
  })

  test('is served by HTTP/1.1 if its request has a body', async () => {
    const port = await serving(echo(plain()), { upgradeProtocols: ['tcp'] })
    const client = await wire(port)
    const head = headOf({ Connection: 'Upgrade', Upgrade: 'tcp', 'Content-Length': '2' }, 'POST / HTTP/1.1')
    client.send(`${head}hi`)
    expect(await client.receive((text) => text.includes('plain'))).toMatch(/^HTTP\/1\.1 200 /)
    client.socket.destroy()
  })

  test('ends with the gateway', async () => {
    const port = await serving(echo(plain()), { upgradeProtocols: ['tcp'] })
    const client = await wire(port)
    client.send(ask('tcp'))
    const head = await client.receive((text) => text.includes('\r\n\r\n'))
    await space.close()
    expect(await client.receive()).toBe(head)
  })

  test.each([['h2c'], ['h2c/1'], ['a b'], [''], [7]])('cannot be %p', async (name) => {
    space = await openSpace('memory:')
    const options = { space, upgradeProtocols: [name] as string[] }
    expect(() => createGateway(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

failOnLeaks()
