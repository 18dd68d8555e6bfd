/** The proxies of examples/deploy pass on event streams, WebSockets, slow uploads, and requests that come as idle connections close. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text as bodyOf } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { WebSocket, WebSocketServer } from 'ws'
import { createGateway } from '../../gateway/index.js'
import { silent } from '../../src/log.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { LONG_SECONDS, show } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { createAuthority } from '../support/certificates.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import {
  checkFront,
  describeBehindProxies,
  FRONTS,
  type Front,
  type FrontName,
  GATEWAY_HOSTS,
  type GatewayPorts,
  startFront,
} from '../support/proxies.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'

const { folder } = scratch('deploy-proxies')

/** After so long nginx and Caddy, and HAProxy, close an idle connection to a gateway. */
const IDLE_MS: Readonly<Record<string, number>> = { nginx: 4_000, haproxy: 5_000, caddy: 4_000 }
/** About such times a request may meet the close. */
const AROUND_MS = 60
const AT_ONCE = 8

let redis: Redis
let space: Space
let ca: Buffer
let pem: string
let ports: GatewayPorts
/** Lets the event stream of a path go on. */
const goOn = new Map<string, () => void>()

/** Sends over a connection of its own; `write` writes the body. */
function send(
  front: Front,
  method: string,
  path: string,
  write: (req: ReturnType<typeof request>) => unknown = (req) => req.end(),
): Promise<IncomingMessage> {
  const options = { host: '127.0.0.1', port: front.port, ca, servername: 'shop.example', agent: false } as const
  return new Promise((resolve, reject) => {
    const req = request({ ...options, method, path, headers: { Host: 'shop.example' } }, resolve)
    req.on('error', reject)
    write(req)
  })
}

const post = async (front: Front, body: string): Promise<string> =>
  bodyOf(await send(front, 'POST', '/length', (req) => req.end(body)))

describeBehindProxies('examples/deploy', () => {
  const sockets = new WebSocketServer({ noServer: true })

  beforeAll(async () => {
    redis = await startRedis()
    space = await openSpace(redis.url)
    const authority = createAuthority(folder, 'ca')
    const { cert, key } = authority.sign('shop', 'DNS:shop.example')
    ca = readFileSync(authority.cert)
    pem = join(folder, 'shop-and-key.pem')
    writeFileSync(pem, Buffer.concat([readFileSync(cert), readFileSync(key)]))
    ports = { port: await freePort(), adminPort: await freePort() }
    for (const host of GATEWAY_HOSTS) {
      const admin = { host, port: ports.adminPort }
      await createGateway({ space, host, port: ports.port, admin, trustProxy: 'loopback', logger: silent }).start()
    }
    const app = createServer(async (req, res) => {
      if (req.url!.startsWith('/events')) {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n')
        await new Promise<void>((resolve) => goOn.set(req.url!, resolve))
        res.end('data: second\n\n')
      } else res.end(String((await bodyOf(req)).length))
    })
    app.on('upgrade', (req, socket, head) =>
      sockets.handleUpgrade(req, socket, head, (each) => each.on('message', (data) => each.send(`echo ${data}`))),
    )
    await createWorker({ space, app }).start()
  })
  afterAll(async () => {
    await space?.close()
    await redis?.stop()
  })

  test.each(Object.keys(FRONTS) as FrontName[])('the file of %s is valid', async (name) => {
    const [code, output] = await checkFront(name, folder, pem)
    expect([code, output]).toEqual([0, expect.not.stringMatching(/\[WARNING\]|\[warn\]|deprecated/i)])
  })

  describe.each(['nginx', 'haproxy', 'caddy'] as const)('%s', (name) => {
    let front: Front
    beforeAll(async () => {
      front = await startFront(name, folder, pem, ports)
    })
    afterAll(async () => {
      front?.process.kill('SIGTERM')
      await front?.process.exited
    })

    test('an event reaches the client before the next one is written', async () => {
      const events = await send(front, 'GET', `/events/${name}`)
      const chunks = events.setEncoding('utf8')[Symbol.asyncIterator]()
      expect((await chunks.next()).value).toBe('data: first\n\n')
      goOn.get(`/events/${name}`)!()
      expect((await chunks.next()).value).toBe('data: second\n\n')
      expect((await chunks.next()).done).toBe(true)
    })

    test('a WebSocket echoes', async () => {
      const options = { ca, servername: 'shop.example', headers: { Host: 'shop.example' } }
      const socket = new WebSocket(`wss://127.0.0.1:${front.port}/`, options)
      await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
      socket.send('a')
      expect(await new Promise((resolve) => socket.once('message', (data) => resolve(String(data))))).toBe('echo a')
      socket.close()
      await new Promise((resolve) => socket.on('close', resolve))
    })

    test('an upload that comes in small parts is served, and others meanwhile', async () => {
      const slow = send(front, 'POST', '/length', async (req) => {
        for (let i = 0; i < 10; i++) {
          req.write('x'.repeat(1_000))
          expect(await post(front, 'abc')).toBe('3')
        }
        req.end()
      })
      expect(await bodyOf(await slow)).toBe('10000')
    })

    testInLongForm('requests that come as idle connections close are all served', async () => {
      const end = performance.now() + LONG_SECONDS * 1_000
      let sent = 0
      for (let i = 0; performance.now() < end; i++) {
        const lengths = await Promise.all(Array.from({ length: AT_ONCE }, () => post(front, 'abc')))
        expect(lengths).toEqual(Array(AT_ONCE).fill('3'))
        sent += AT_ONCE
        // Before, in and after the moment at which the proxy closes.
        await setTimeout(IDLE_MS[name]! - AROUND_MS + ((i * 17) % (2 * AROUND_MS)))
      }
      show(`POSTs after idle times through ${name}`, { sent, failed: 0 })
    })
  })
})

failOnLeaks()
