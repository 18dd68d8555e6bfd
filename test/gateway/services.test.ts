/** Services of a gateway: the route of a request by host and path, and the settings that each service has. */
import { expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { type HeldRequest, type Serving, serveRequests } from '../../src/request.js'
import { until } from '../support/until.js'
import { ask, type Served, serving, signal } from './serving.js'

const SERVICES = [
  { service: 'root' },
  { service: 'api', pathPrefix: '/api' },
  { service: 'api-v2', pathPrefix: '/api/v2/' },
  { service: 'shop', host: 'Shop.example' },
  { service: 'shop-api', host: 'shop.example', pathPrefix: '/api' },
  { service: 'any-shop', host: '*.shop.example' },
  { service: 'eu-shop', host: '*.eu.shop.example', pathPrefix: '/eu' },
  { service: 'v6', host: '[::1]' },
]

/** Each request is answered with the service that it was for. */
async function answeringAll(services: readonly { service: string }[], more: object = {}): Promise<Served> {
  const served = await serving(null, { services, ...more })
  const names = [...new Set(services.map(({ service }) => service))]
  await serveRequests(served.space, names, 16, (taken) => {
    const body = Buffer.from(taken.service)
    void taken.complete({ status: 200, reason: 'OK', headers: [], body })
  })
  return served
}

test('the most specific host wins, then the longest path prefix at the border of a segment', async () => {
  await using s = await answeringAll(SERVICES)
  const table: [host: string, path: string, service: string][] = [
    ['a.example', '/', 'root'],
    ['a.example', '/api', 'api'],
    ['a.example', '/api?x=/api/v2', 'api'],
    ['a.example', '/api/', 'api'],
    ['a.example', '/apis', 'root'],
    ['a.example', '/api/v2', 'api-v2'],
    ['a.example', '/api/v2/x', 'api-v2'],
    ['a.example', '/api/v22', 'api'],
    ['a.example', '//api/v2', 'root'],
    ['a.example', '/API', 'root'],
    ['shop.example', '/', 'shop'],
    ['SHOP.example.:8080', '/x', 'shop'],
    ['shop.example', '/api/v2', 'shop-api'],
    ['x.shop.example', '/api/v2', 'any-shop'],
    ['y.x.shop.example', '/', 'any-shop'],
    ['x.eu.shop.example', '/eu/x', 'eu-shop'],
    ['x.eu.shop.example', '/', 'any-shop'],
    ['eu.shop.example', '/eu', 'any-shop'],
    ['myshop.example', '/api', 'api'],
    ['.shop.example', '/', 'any-shop'],
    ['[::1]:8080', '/', 'v6'],
    [`${'a.'.repeat(200)}shop.example`, '/', 'root'],
  ]
  for (const [host, path, service] of table) {
    const { text } = await ask(s.port, { path, headers: { host } })
    expect([host, path, text]).toEqual([host, path, service])
  }
  expect((await ask(s.port, { method: 'OPTIONS', path: '*', headers: { host: 'a.example' } })).text).toBe('root')
  const absolute = await ask(s.port, { path: 'http://shop.example/api', headers: { host: 'a.example' } })
  expect(absolute.text).toBe('shop-api')
})

test('a path that no service of the host covers goes to a wider host, else 404', async () => {
  const services = [
    { service: 'a', host: 'a.example', pathPrefix: '/a' },
    { service: 'below', host: '*.example', pathPrefix: '/b' },
  ]
  await using s = await answeringAll(services)
  const of = async (path: string) => {
    const { status, text } = await ask(s.port, { path, headers: { host: 'a.example' } })
    return status === 200 ? text : status
  }
  expect([await of('/a'), await of('/b'), await of('/c')]).toEqual(['a', 'below', 404])
})

test('behind a trusted proxy the host is the one that the client asked for', async () => {
  const services = [{ service: 'root' }, { service: 'shop', host: 'shop.example' }]
  const headers = { host: '10.0.0.1', 'x-forwarded-host': 'shop.example' }
  await using trusting = await answeringAll(services, { trustProxy: 'loopback' })
  expect((await ask(trusting.port, { headers })).text).toBe('shop')
  await using other = await answeringAll(services)
  expect((await ask(other.port, { headers })).text).toBe('root')
})

test.each<[string, object[]]>([
  ['services[1] has the host and the path of services[0]', [{ service: 'a' }, { service: 'b', pathPrefix: '/' }]],
  ['services[0].host', [{ service: 'a', host: 'a.example:80' }]],
  ['services[0].host', [{ service: 'a', host: 'a.*.example' }]],
  ['services[0].host', [{ service: 'a', host: 'https://a.example' }]],
  ['services[0].host', [{ service: 'a', host: '' }]],
  ['services[0].pathPrefix', [{ service: 'a', pathPrefix: '/a?b' }]],
  ['services[0].bodyBytes', [{ service: 'a', bodyBytes: -1 }]],
  ['services[0].maxDeliveries', [{ service: 'a', maxDeliveries: 10 }]],
  ['services[0].withoutWorker', [{ service: 'a', withoutWorker: 'drop' }]],
])('services that cannot be are refused: %s', async (named, services) => {
  await using space = await openSpace('memory:')
  const create = () => createGateway({ space, services: services as { service: string }[] })
  expect(create).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(named) }))
})

test('each service has its own deadline, body limit, priority, deliveries and repeatability', async () => {
  const own = { timeoutMs: 20_000, bodyBytes: 10, priority: 7, repeatable: true, maxDeliveries: 1 }
  const services = [{ service: 'web' }, { service: 'own', pathPrefix: '/own', ...own }]
  await using s = await serving(null, { services, limits: { timeoutMs: 90_000, bodyBytes: 20 } })
  const held: HeldRequest[] = []
  await serveRequests(s.space, ['web', 'own'], 4, (taken) => {
    held.push(taken)
    void taken.complete({ status: 200, reason: 'OK', headers: [], body: Buffer.alloc(0) })
  })
  const post = async (path: string, bytes: number, chunked = false) => {
    const headers: Record<string, string> = chunked ? { 'transfer-encoding': 'chunked' } : {}
    return (await ask(s.port, { method: 'POST', path, headers, body: Buffer.alloc(bytes) })).status
  }
  expect([await post('/', 20), await post('/', 21), await post('/own', 10), await post('/own', 11)]).toEqual([
    200, 413, 200, 413,
  ])
  expect([await post('/', 20, true), await post('/own', 11, true)]).toEqual([200, 413])
  const [web, mine] = [held[0]!, held[1]!]
  expect([web.service, web.priority, web.repeatable]).toEqual(['web', 0, false])
  expect([mine.service, mine.priority, mine.repeatable]).toEqual(['own', 7, true])
  expect(web.remainingMs).toBeGreaterThan(20_000)
  expect(mine.remainingMs).toBeLessThanOrEqual(20_000)
})

const refusing = [
  { service: 'web', withoutWorker: 'refuse' as const },
  { service: 'other', pathPrefix: '/other' },
]
const answer = { status: 200, reason: 'OK', headers: [], body: Buffer.alloc(0) }
const serve = (s: Served, service: string): Promise<Serving> =>
  serveRequests(s.space, service, 1, (taken) => void taken.complete(answer))

test('without a worker of its service a request is refused at once, if the service says so', async () => {
  await using s = await serving(null, { services: refusing, limits: { timeoutMs: 60_000 } })
  await serve(s, 'other')
  const { status, text, headers } = await ask(s.port)
  expect([status, JSON.parse(text).code, headers['retry-after']]).toEqual([503, 'NO_WORKER', '1'])
  expect((await ask(s.port, { path: '/other' })).status).toBe(200)
  const websocket = await ask(s.port, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-version': '13',
    },
  })
  expect(JSON.parse(websocket.text).code).toBe('NO_WORKER')
})

test('a worker that comes is noticed, and one that leaves', async () => {
  // A request that is written just after the worker has left waits until its deadline.
  await using s = await serving(null, { services: refusing, limits: { timeoutMs: 300 } })
  expect((await ask(s.port)).status).toBe(503)
  const worker = await serve(s, 'web')
  await until(async () => (await ask(s.port)).status === 200, 'requests are served')
  await worker.stop()
  await until(async () => (await ask(s.port)).status === 503, 'requests are refused')
})

test('a worker without a free slot is a worker: its requests wait', async () => {
  await using s = await serving(null, { services: refusing })
  const [begun, free] = [signal(), signal()]
  await serveRequests(s.space, 'web', 1, async (taken) => {
    begun.resolve()
    await free.promise
    await taken.complete(answer)
  })
  const first = ask(s.port)
  await begun.promise
  const second = ask(s.port)
  await until(async () => (await s.space.engine.kinds()).get('takespace.Request') === 1, 'the second waits')
  free.resolve()
  expect([(await first).status, (await second).status]).toEqual([200, 200])
})

test('many requests share one question to the space, also of many services', async () => {
  const services = Array.from({ length: 50 }, (_, i) => ({
    service: `s${i}`,
    pathPrefix: `/${i}`,
    withoutWorker: 'refuse' as const,
  }))
  await using s = await serving(null, { services })
  const { engine } = s.space
  const { offered } = engine
  const answers = signal()
  let asked = 0
  engine.offered = async (template) => {
    asked++
    await answers.promise
    return offered.call(engine, template)
  }
  const statuses = Array.from({ length: 200 }, async (_, i) => (await ask(s.port, { path: `/${i % 50}` })).status)
  await until(() => asked > 0, 'the space is asked')
  answers.resolve()
  expect(new Set(await Promise.all(statuses))).toEqual(new Set([503]))
  // All arrive within a few of the 500 ms for which an answer counts, however slow the machine is.
  expect(asked).toBeLessThan(20)
})

test('if the space does not tell, requests are not refused', async () => {
  await using s = await serving(() => ({}), { services: refusing })
  for (const offered of [async () => null, () => Promise.reject(new Error('away'))]) {
    s.space.engine.offered = offered
    expect((await ask(s.port)).status).toBe(200)
  }
})
