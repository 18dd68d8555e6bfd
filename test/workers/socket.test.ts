/** The sockets that apps see have the properties of net.Socket, or a reason why not. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/index.js'
import { handlerOf } from '../../workers/apps/index.js'
import { type App, createWorker, currentRequest } from '../../workers/index.js'
import { contextOf, requestOf } from './turns.js'

/** Why a property of net.Socket is not there on the socket of a request, by its name. */
const REFUSED: readonly [names: RegExp, reason: string][] = [
  [/^_/, 'A name with an underscore is internal to Node.'],
  [/^(parser|constructor)$/, 'The parser of the client’s connection is in the gateway.'],
  [/^connect$|^autoSelectFamily/, 'It opens a connection; this one is open.'],
  [/^(?:[gs]et)?(?:TOS|TypeOfService)$/, 'The socket that has this option is in the gateway.'],
  [
    /^(read|push|unshift|pipe|unpipe|wrap|iterator|setEncoding|readable[A-Z]\w*)$/,
    'The bytes of a request are read from req; on a plain server the HTTP parser consumes those of the socket.',
  ],
  [
    /^(asIndexedPairs|drop|filter|flatMap|map|take|compose|every|forEach|reduce|toArray|some|find)$/,
    'They read the stream of bytes, which is that of req.',
  ],
  [
    /^(writableBuffer|writableObjectMode|setDefaultEncoding|allowHalfOpen)$/,
    'They configure the stream of the socket.',
  ],
]

/** Own names of a server's socket, and those of its prototypes. */
const namesOf = (socket: object): string[] => {
  const names = new Set<string>()
  for (let each = socket; each && each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) names.add(name)
  }
  return [...names]
}

const refused = (name: string): boolean => REFUSED.some(([names]) => names.test(name))

/** The properties that a plain server finds on its socket, while it handles a request. */
interface Real {
  readonly names: readonly string[]
  readonly types: ReadonlyMap<string, string>
}
let real: Real
beforeAll(async () => {
  const server = createServer((req, res) => {
    const names = namesOf(req.socket)
    real = { names, types: new Map(names.map((name) => [name, typeof req.socket[name as keyof Socket]])) }
    res.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  server.closeAllConnections()
  server.close()
})

const PORTS = { peerPort: 50_123, localAddress: '10.0.0.1', localPort: 8_080 }

/** The socket of a request, seen by a `(req, res)` app. */
async function socketOfRequest(): Promise<Socket> {
  let socket: Socket | undefined
  const app = (req: IncomingMessage, res: ServerResponse): void => {
    socket = req.socket
    res.end()
  }
  await handlerOf(app)(requestOf(PORTS), contextOf())
  return socket as Socket
}

/** The socket that an upgrade listener is given. */
async function socketOfUpgrade(): Promise<Duplex> {
  const server = createServer()
  const given = new Promise<Duplex>((resolve) => server.on('upgrade', (_req, socket) => resolve(socket)))
  handlerOf(server)({ ...requestOf(PORTS), more: 'upgrade' }, contextOf()).catch(() => {})
  return given
}

describe('each property of net.Socket is there, of the same type, or is refused with a reason', () => {
  test('on the socket of a request', async () => {
    const socket = await socketOfRequest()
    expect(real.names.filter((name) => !(name in socket) && !refused(name))).toEqual([])
    // Node has no value for these before somebody sets one, on one of the two at least.
    const unset = ['timeout', '_httpMessage', 'errored', 'on', 'addListener', 'prependListener']
    const shared = real.names.filter((name) => name in socket && !unset.includes(name) && !name.startsWith('_'))
    expect(shared.length).toBeGreaterThan(40)
    const types = shared.map((name) => `${name}: ${typeof socket[name as keyof Socket]}`)
    expect(types).toEqual(shared.map((name) => `${name}: ${real.types.get(name)}`))
  })

  test('on the socket of an upgrade', async () => {
    const socket = await socketOfUpgrade()
    expect(real.names.filter((name) => !(name in socket) && !refused(name) && name !== 'timeout')).toEqual([])
    socket.destroy()
  })

  test('each reason is that of a property that some Node has', () => {
    const known = [...real.names, 'setTypeOfService', 'autoSelectFamilyAttemptedAddresses']
    for (const [names] of REFUSED) expect(known.some((name) => names.test(name))).toBe(true)
    expect(namesOf(Socket.prototype).every((name) => real.names.includes(name))).toBe(true)
  })
})

/** The view of a `(req, res)` app, on a server of its own and through a gateway. */
async function bothSee(look: (req: IncomingMessage, res: ServerResponse) => unknown) {
  const app = (req: IncomingMessage, res: ServerResponse): void => void res.end(JSON.stringify(look(req, res)))
  const ask = async (port: number): Promise<unknown> => {
    const socket = connect(port, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const text = await new Promise<string>((resolve, reject) => {
      const options = { createConnection: () => socket, method: 'POST', path: '/', headers: { 'x-a': 'b' } }
      const req = request(options as object, (res) => {
        let got = ''
        res.on('data', (chunk) => {
          got += chunk
        })
        res.on('end', () => resolve(got))
      })
      req.on('error', reject)
      req.end('four')
    })
    const { localPort } = socket
    socket.destroy()
    return JSON.parse(text.replaceAll(String(localPort), '"the client’s"').replaceAll(String(port), '"the server’s"'))
  }
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await using space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0 })
  await Promise.all([gateway.start(), createWorker({ space, app }).start()])
  const seen = [await ask((server.address() as AddressInfo).port), await ask(Number(new URL(gateway.url).port))]
  server.closeAllConnections()
  server.close()
  return seen
}

test('addresses, ports, family, state and corking are those of the client’s own connection', async () => {
  const [direct, through] = await bothSee((req, res) => {
    const { socket } = req
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = socket
    const { connecting, pending, readyState, destroyed, writableLength, bufferSize } = socket
    const ends = { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily }
    const state = { connecting, pending, readyState, destroyed, writableLength, bufferSize, corked: res.writableCorked }
    res.cork()
    const corked = res.writableCorked
    res.uncork()
    return { ...ends, address: socket.address(), ...state, corking: [corked, res.writableCorked] }
  })
  expect(through).toEqual(direct)
})

test('writableCorked follows writes, cork() and uncork() as in Node', async () => {
  const seen = await bothSee((_req, res) => {
    const counts = [res.writableCorked]
    res.setHeader('content-type', 'application/json')
    res.write(' ')
    counts.push(res.writableCorked)
    res.cork()
    counts.push(res.writableCorked)
    res.uncork()
    counts.push(res.writableCorked)
    return counts
  })
  expect(seen[1]).toEqual(seen[0])
})

test('bytesRead and bytesWritten grow with what is read and written', async () => {
  const counts: number[] = []
  const server = createServer((req, res) => {
    counts.push(req.socket.bytesRead, req.socket.bytesWritten)
    res.on('finish', () => counts.push(req.socket.bytesWritten))
    res.end('x'.repeat(1_000))
  })
  await handlerOf(server)(requestOf({ method: 'POST', body: Buffer.alloc(500) }), contextOf())
  const [read, before, after] = counts as [number, number, number]
  expect(read).toBeGreaterThan(500)
  expect(before).toBe(0)
  expect(after).toBeGreaterThan(1_000)
})

test('once it is destroyed it says so', async () => {
  const { destroyed, pending, readyState, writable, closed } = (await socketOfRequest()).destroy()
  expect({ destroyed, pending, readyState, writable, closed }).toEqual({
    destroyed: true,
    pending: true,
    readyState: 'closed',
    writable: false,
    closed: true,
  })
})

test('encrypted can be set, by middleware that knows better', async () => {
  const socket = (await socketOfRequest()) as Socket & { encrypted: boolean }
  expect(socket.encrypted).toBe(false)
  socket.encrypted = true
  expect([socket.encrypted, ((await socketOfRequest()) as typeof socket).encrypted]).toEqual([true, false])
})

describe('socket.server', () => {
  const apps: Record<string, (listener: (req: IncomingMessage, res: ServerResponse) => void) => App> = {
    'a (req, res) function': (listener) => listener,
    'an http.Server': (listener) => createServer(listener),
    'a Koa-shaped app': (listener) => ({ callback: () => listener, middleware: [] }) as unknown as App,
  }
  for (const [name, make] of Object.entries(apps)) {
    test(`keeps what ${name} stores on it from request to request, and can be replaced on one socket`, async () => {
      const handle = handlerOf(
        make((req, res) => {
          const { server } = req.socket as unknown as { server: { kept?: number } }
          server.kept = (server.kept ?? 0) + 1
          Object.assign(req.socket, { server: {} })
          res.end(String(server.kept))
        }),
      )
      const texts = [await handle(requestOf(), contextOf()), await handle(requestOf(), contextOf())]
      expect(texts.map(({ body }) => body.toString())).toEqual(['1', '2'])
    })
  }

  test('is the http.Server itself, if the app is one', async () => {
    const server = createServer((req, res) => res.end(String(Object.is(Object(req.socket).server, server))))
    expect((await handlerOf(server)(requestOf(), contextOf())).body.toString()).toBe('true')
  })

  test('can be given listeners: the next requests and upgrades go to them, as socket.io attaches itself in a Next API route', async () => {
    const upgrades: Duplex[] = []
    const handle = handlerOf((req: IncomingMessage, res: ServerResponse) => {
      const { server } = req.socket as unknown as { server: ReturnType<typeof createServer> }
      const [app] = server.listeners('request')
      server.removeAllListeners('request')
      server.on('request', (each, answer) => {
        if (each.url === '/socket.io/') answer.end('its own')
        else app!.call(server, each, answer)
      })
      server.on('upgrade', (_req, socket) => upgrades.push(socket))
      res.end('attached')
    })
    const ask = async (target: string) => (await handle(requestOf({ target }), contextOf())).body.toString()
    expect([await ask('/'), await ask('/socket.io/')]).toEqual(['attached', 'its own'])
    handle({ ...requestOf(), more: 'upgrade' }, contextOf()).catch(() => {})
    expect(upgrades.length).toBe(1)
    upgrades[0]!.destroy()
  })

  test('a promise of the app that rejects is still its failure', async () => {
    const handle = handlerOf(async () => {
      throw new Error('broken')
    })
    await expect(handle(requestOf(), contextOf())).rejects.toThrow('broken')
  })
})

describe('an app that is given no socket', () => {
  let seen: unknown
  const space = openSpace('memory:')
  afterAll(async () => (await space).close())

  test('{ fetch }: finds the client where @hono/node-server puts it, and at currentRequest().client', async () => {
    const app: App = {
      fetch(_request: Request, env?: unknown) {
        const { remoteAddress, remotePort, remoteFamily } = (env as { incoming: { socket: Socket } }).incoming.socket
        seen = [remoteAddress, remoteFamily, typeof remotePort, currentRequest().client]
        return new Response()
      },
    }
    const gateway = createGateway({ space: await space, port: 0 })
    await Promise.all([gateway.start(), createWorker({ space: await space, app }).start()])
    const { host } = new URL(gateway.url)
    await fetch(gateway.url)
    expect(seen).toEqual(['127.0.0.1', 'IPv4', 'number', { address: '127.0.0.1', protocol: 'http', host }])
  })
})
