/** Starting, routing, logging and stopping of a gateway. */
import { Agent, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { createGateway, type GatewayOptions } from '../../gateway/index.js'
import type { Logger } from '../../src/log.js'
import { openSpace } from '../../src/open.js'
import { serveRequests } from '../../src/request.js'
import { until } from '../support/until.js'
import { ask, serving, signal, wire } from './serving.js'

describe('starting', () => {
  test('twice is starting once; the url tells the real port', async () => {
    await using s = await serving(() => ({}))
    await Promise.all([s.gateway.start(), s.gateway.start()])
    expect(s.gateway.url).toBe(`http://127.0.0.1:${s.port}`)
    expect(s.port).toBeGreaterThan(0)
  })

  test('on a port that is taken fails with PORT_TAKEN, and may be tried again', async () => {
    await using space = await openSpace('memory:')
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const gateway = createGateway({ space, port })
    await expect(gateway.start()).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
    await new Promise((resolve) => other.close(resolve))
    await gateway.start()
  })

  test('on an address that is not of this machine fails with INVALID_ARGUMENT that names host', async () => {
    await using space = await openSpace('memory:')
    const gateway = createGateway({ space, host: '192.0.2.1', port: 0 })
    await expect(gateway.start()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('host'),
    })
  })

  test.each<[string, object]>([
    ['space', { space: {} }],
    ['host', { host: '' }],
    ['port', { port: 65_536 }],
    ['port', { port: '80' }],
    ['trustProxy', { trustProxy: -1 }],
    ['trustProxy', { trustProxy: '10' }],
    ['trustProxy', { trustProxy: '10.0.0.0/33' }],
    ['trustProxy', { trustProxy: ['loopback', 'my-proxy'] }],
    ['trustProxy', { trustProxy: [] }],
    ['trustProxy', { trustProxy: {} }],
    ['proxyProtocol', { proxyProtocol: 1 }],
    ['proxyProtocol needs trustProxy', { proxyProtocol: true }],
    ['limits.timeoutMs', { limits: { timeoutMs: 0 } }],
    ['limits.timeoutMs', { limits: { timeoutMs: Number.POSITIVE_INFINITY } }],
    ['limits.bodyBytes', { limits: { bodyBytes: -1 } }],
    ['limits.inFlight', { limits: { inFlight: 1.5 } }],
    ['limits has no option maxBodyBytes', { limits: { maxBodyBytes: 1 } }],
    ['idempotency.leaseMs', { idempotency: { leaseMs: 0 } }],
    ['idempotency.principalOf', { idempotency: { principalOf: 'me' } }],
    ['admin.port', { admin: { port: -1 } }],
    ['admin.host', { admin: { port: 0, host: '' } }],
    ['timeoutMs is limits.timeoutMs now', { timeoutMs: 1 }],
    ['adminPort is admin.port now', { adminPort: 1 }],
    ['services', { services: [] }],
    ['services[0].service', { services: [{}] }],
    ['services[1].pathPrefix', { services: [{ service: 'a' }, { service: 'b', pathPrefix: 'b' }] }],
    ['services[0].priority', { services: [{ service: 'a', priority: 128 }] }],
    ['services[0] has no option path', { services: [{ service: 'a', path: '/' }] }],
    ['logger', { logger: {} }],
    ['timeout', { timeout: 1 }],
  ])('with a bad %s fails with INVALID_ARGUMENT that names it', async (name, options) => {
    await using space = await openSpace('memory:')
    const create = () => createGateway({ space, ...options } as GatewayOptions)
    expect(create).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
    )
  })
})

describe('routing', () => {
  test('gives a request to the service of the longest matching prefix', async () => {
    const services = [
      { service: 'web' },
      { service: 'api', pathPrefix: '/api/' },
      { service: 'v2', pathPrefix: '/api/v2', timeoutMs: 5_000, priority: 3 },
    ]
    await using s = await serving(() => ({ body: Buffer.from('web') }), { services })
    for (const service of ['api', 'v2']) {
      await serveRequests(s.space, service, 1, (taken) => {
        const body = Buffer.from(`${service} ${taken.priority}`)
        void taken.complete({ status: 200, reason: '', headers: [], body })
      })
    }
    const textOf = async (path: string): Promise<string> => (await ask(s.port, { path })).text
    expect(await textOf('/')).toBe('web')
    expect(await textOf('/api')).toBe('api 0')
    expect(await textOf('/api?x=1')).toBe('api 0')
    expect(await textOf('/apis')).toBe('web')
    expect(await textOf('/api/v2/x')).toBe('v2 3')
    expect(await textOf('/api/v22')).toBe('api 0')
  })

  test('answers 404 for a path that no service has, and stays in step', async () => {
    await using s = await serving(() => ({}), { services: [{ service: 'web', pathPrefix: '/shop' }] })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect((await ask(s.port, { path: '/other', agent })).status).toBe(404)
    expect((await ask(s.port, { path: '/shop', agent })).status).toBe(200)
    agent.destroy()
  })
})

describe('logging', () => {
  test('writes one line per request, with its id and without its query', async () => {
    const lines: Record<string, unknown>[] = []
    const nothing = (): void => {}
    const logger: Logger = {
      debug: nothing,
      info: (fields) => void lines.push({ ...fields }),
      warn: nothing,
      error: nothing,
    }
    await using s = await serving((r) => (r.target === '/bad' ? { status: 1 } : {}), { logger })
    const first = await ask(s.port, { path: '/cart?token=s3cret' })
    await ask(s.port, { path: '/bad' })
    await s.gateway.stop()
    expect(lines[0]).toMatchObject({ id: first.headers['x-request-id'], method: 'GET', path: '/cart', status: 200 })
    expect(lines[0]?.ms).toBeGreaterThanOrEqual(0)
    expect(lines[1]).toMatchObject({ path: '/bad', status: 502, code: 'BAD_RESPONSE' })
    expect(JSON.stringify(lines)).not.toContain('s3cret')
  })
})

const isRefused = (port: number): Promise<boolean> =>
  wire(port).then(
    ({ socket }) => {
      socket.destroy()
      return false
    },
    ({ code }) => code === 'ECONNREFUSED',
  )

describe('stopping', () => {
  test('answers what is in flight, closes its connection, and takes no new one', async () => {
    const taken = signal()
    const go = signal()
    await using s = await serving(async () => {
      taken.resolve()
      await go.promise
      return { body: Buffer.from('finished') }
    })
    const agent = new Agent({ keepAlive: true })
    const pending = ask(s.port, { agent })
    await taken.promise
    const stopped = s.gateway.stop()
    await until(() => isRefused(s.port), 'the port is closed')
    go.resolve()
    const answer = await pending
    expect(answer.text).toBe('finished')
    expect(answer.headers.connection).toBe('close')
    await stopped
    agent.destroy()
  })

  test('does not wait for a connection on which nothing was ever sent', async () => {
    await using s = await serving(() => ({}))
    const silent = await wire(s.port)
    await ask(s.port)
    const closed = silent.receive()
    await s.gateway.stop()
    await closed
  }, 5_000)

  test('returns although a request is never answered and a client never goes', async () => {
    const taken = signal()
    const never = new Promise<object>(() => {})
    await using s = await serving(
      () => {
        taken.resolve()
        return never
      },
      { limits: { timeoutMs: 100 } },
    )
    const silent = await wire(s.port)
    silent.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n')
    const pending = ask(s.port)
    await taken.promise
    await s.gateway.stop()
    expect((await pending).status).toBe(504)
    silent.socket.destroy()
  })

  test('closing the space stops its gateways first', async () => {
    const s = await serving(() => ({ body: Buffer.from('x') }))
    await ask(s.port)
    await s.space.close()
    await expect(ask(s.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('a gateway that never started stops at once', async () => {
    await using space = await openSpace('memory:')
    await createGateway({ space }).stop()
  })
})

describe('the handler', () => {
  test("serves requests of a server of one's own, and refuses them once the gateway has stopped", async () => {
    await using space = await openSpace('memory:')
    await serveRequests(space, 'web', 1, (taken) => {
      void taken.complete({ status: 200, reason: '', headers: [], body: taken.request.body })
    })
    const gateway = createGateway({ space })
    const server = createServer(gateway.handler).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    expect((await ask(port, { method: 'POST', body: 'mine' })).text).toBe('mine')
    await gateway.stop()
    const refused = await ask(port, { method: 'POST', body: 'mine' })
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
    await new Promise((resolve) => server.close(resolve))
  })

  test('says so when the body has been read before it came to the gateway', async () => {
    await using space = await openSpace('memory:')
    const gateway = createGateway({ space })
    const server = createServer(async (req, res) => {
      for await (const _ of req);
      gateway.handler(req, res)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    expect((await ask(port, { method: 'POST', body: 'mine' })).status).toBe(500)
    await new Promise((resolve) => server.close(resolve))
  })
})
