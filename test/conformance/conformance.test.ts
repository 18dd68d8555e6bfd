/**
 * One list of requests, sent to each framework on a server of its own, and through gateway, Redis and worker over
 * HTTP/1.1 and HTTP/2; of some frameworks once more over TLS.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { createWorker } from '../../workers/index.js'
import { isLong } from '../faults/form.js'
import { createAuthority } from '../support/certificates.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { FRAMEWORKS, type Framework } from '../workers/apps/frameworks.js'
import { askHttp1, askHttp2, type Heard } from './asking.js'
import { bareApp } from './bare.js'
import { DIFFERENCES, type Difference, isHttp1Only } from './differences.js'
import { BARE, type Request, requestsOf } from './requests.js'

/** In the short form an app on a socket and one on fetch: `test/workers/frameworks.test.ts` has all frameworks. */
const CHOSEN = isLong ? ['Express 5', 'Koa 3', 'Fastify 5', 'Hono 4'] : ['Express 5', 'Hono 4']
/** An app on a socket, an app on fetch, and what tells all: a handshake for each request takes its time. The short form has `test/gateway/tls.test.ts`. */
const CHOSEN_FOR_TLS = isLong ? ['Express 5', 'Hono 4', BARE] : []
const AT_A_TIME = 12

const bare: Framework = {
  name: BARE,
  fetches: false,
  make: () => createServer(bareApp),
  server: () => createServer(bareApp),
}
const frameworks = [...FRAMEWORKS.filter(({ name }) => CHOSEN.includes(name)), bare]

type Over = Exclude<Difference['over'], 'both'>

const alike = (heard: Heard, differences: readonly Difference[]): Heard =>
  differences.reduce((left, difference) => difference.alike(left), heard)

let redis: Redis
const signed = createAuthority(scratch('conformance').folder, 'authority').sign('server', 'IP:127.0.0.1')
const { cert: certFile, key: keyFile } = signed

/** A request that is not answered by then counts as answered with status 0. */
const ANSWERED_MS = 20_000
const NOT_ANSWERED: Heard = { status: 0, reason: 'not answered', headers: [], body: '', trailers: [], interim: [] }

/** Asks all, a few at a time; results are in the order of the requests. */
async function askAll(requests: readonly Request[], ask: (request: Request) => Promise<Heard>): Promise<Heard[]> {
  const heard: Heard[] = []
  let next = 0
  const go = async (): Promise<void> => {
    for (let i = next++; i < requests.length; i = next++) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<Heard>((resolve) => {
        timer = setTimeout(() => resolve(NOT_ANSWERED), ANSWERED_MS)
      })
      const failed = (error: Error): Heard => ({ ...NOT_ANSWERED, reason: String(error) })
      heard[i] = await Promise.race([ask(requests[i]!).catch(failed), late])
      clearTimeout(timer)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, go))
  return heard
}

async function askDirectly(framework: Framework, isSecure: boolean, requests: readonly Request[]): Promise<Heard[]> {
  const server: Server = await framework.server([])
  const pem = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  const front = isSecure ? createTlsServer(pem, (socket) => server.emit('connection', socket)) : server
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  const { port } = front.address() as AddressInfo
  const heard = await askAll(requests, (request) => askHttp1(port, request, isSecure))
  server.closeAllConnections()
  await new Promise((resolve) => front.close(resolve))
  return heard
}

async function askThrough(
  framework: Framework,
  over: Over,
  isSecure: boolean,
  requests: readonly Request[],
): Promise<Heard[]> {
  await using space = await openSpace(redis.url, { name: `${framework.name} ${over} ${isSecure}` })
  const limits = { bodyBytes: 4 << 20 }
  const way = isSecure ? { tls: { certificates: [{ certFile, keyFile }] } } : { h2c: true }
  const gateway = createGateway({ space, port: 0, trustProxy: 'loopback', limits, ...way })
  await gateway.start()
  await createWorker({ space, app: framework.make([]) }).start()
  if (over === 'HTTP/1.1')
    return await askAll(requests, (request) => askHttp1(Number(new URL(gateway.url).port), request, isSecure))
  const session = connect(gateway.url, { rejectUnauthorized: false }).on('error', () => {})
  const heard = await askAll(requests, (request) =>
    isHttp1Only(request) ? Promise.resolve(NOT_ANSWERED) : askHttp2(session, request),
  )
  session.destroy()
  return heard
}

describeOnRedis('through the space', () => {
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const ways = [
    ...frameworks.map((framework) => ({ framework, isSecure: false })),
    ...frameworks
      .filter(({ name }) => CHOSEN_FOR_TLS.includes(name))
      .map((framework) => ({ framework, isSecure: true })),
  ]
  describe.each(ways)('$framework.name, TLS: $isSecure', ({ framework, isSecure }) => {
    const requests = requestsOf(framework.name)
    const asked = requests.map(([, request]) => request)
    let direct: Heard[]
    beforeAll(async () => {
      direct = await askDirectly(framework, isSecure, asked)
    })

    test('is asked at least 150 requests', () => {
      expect(requests.length).toBeGreaterThanOrEqual(150)
    })

    describe.each(['HTTP/1.1', 'HTTP/2'] as const)('over %s', (over) => {
      const known = DIFFERENCES.filter(
        (each) => each.frameworks.test(framework.name) && (each.over === over || each.over === 'both'),
      )
      const met = new Set<Difference>()
      let through: Heard[]
      beforeAll(async () => {
        through = await askThrough(framework, over, isSecure, asked)
      })

      test.each(requests.map(([name, request], i) => [name, request, i] as const))('%s', (name, request, i) => {
        if (over === 'HTTP/2' && isHttp1Only(request)) return
        const applying = known.filter((each) => each.requests.test(name))
        const [one, other] = [through[i]!, direct[i]!]
        for (const each of applying.filter((difference) => !met.has(difference))) {
          const rest = applying.filter((difference) => difference !== each)
          if (!isDeepStrictEqual(alike(one, rest), alike(other, rest))) met.add(each)
        }
        expect(alike(one, applying)).toEqual(alike(other, applying))
      })

      test('each listed difference is one', () => {
        expect(known.filter((each) => !met.has(each)).map(({ reason }) => reason)).toEqual([])
      })
    })
  })
})

failOnLeaks()
