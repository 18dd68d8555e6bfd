/** The examples of docs/sessions.md behind nginx, HAProxy and Caddy with TLS: logins last on any gateway, cookies are secure, clients are known. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import expressSession from 'express-session'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { createSession } from 'koa-session'
import { WebSocket, WebSocketServer } from 'ws'
import { createGateway, type GatewayOptions } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import {
  FastifySessionStore,
  fetchSessions,
  KoaSessionStore,
  newSessionId,
  SpaceSessionStore,
  session,
} from '../../src/session/index.js'
import type { Space } from '../../src/space.js'
import { type App, createWorker, currentRequest } from '../../workers/index.js'
import { createAuthority } from '../support/certificates.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import {
  describeBehindProxies,
  FRONTS,
  type FrontName,
  GATEWAY_HOSTS,
  type GatewayPorts,
  startFront,
} from '../support/proxies.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { type Logged, listening } from '../workers/turns.js'

const secret = 'a secret that has at least thirty-two characters'
/** Proxies connect from the first, clients from the second. */
const [PROXY, CLIENT] = ['127.0.0.1', '127.0.0.7']
const { folder } = scratch('behind-proxies')
// biome-ignore lint/suspicious/noExplicitAny: sessions of frameworks, whose attributes their types do not know
type Any = any

/** What an app answers: its user, and what it and the gateway know of the request. */
const told = (user: unknown, ip: unknown, protocol: unknown, id: unknown): object => ({
  user,
  ip,
  protocol,
  id,
  current: { id: currentRequest().id, client: currentRequest().client },
})

function onExpress(space: Space): App {
  const app = express()
  app.set('trust proxy', PROXY)
  const store = new SpaceSessionStore({ space })
  const cookie = { maxAge: 30 * 60_000, httpOnly: true, sameSite: 'lax' as const, secure: true }
  app.use(expressSession({ store, secret, resave: false, saveUninitialized: false, cookie }))
  app.get('/express/login', (req, res, next) => {
    ;(req.session as Any).user = 'ann'
    req.session.save((error) => (error ? next(error) : res.end()))
  })
  app.get('/express/me', (req, res) => {
    res.json(told((req.session as Any).user, req.ip, req.protocol, req.get('x-request-id')))
  })
  return app
}

async function onFastify(space: Space): Promise<App> {
  const app = Fastify({ trustProxy: PROXY })
  await app.register(fastifyCookie)
  const store = new FastifySessionStore({ space })
  await app.register(fastifySession, { store, secret, cookie: { maxAge: 30 * 60_000 } } as Any)
  app.get('/fastify/login', async (req) => {
    ;(req.session as Any).user = 'ann'
    return ''
  })
  app.get('/fastify/me', async (req) =>
    told((req.session as Any).user, req.ip, req.protocol, req.headers['x-request-id']),
  )
  return app as unknown as App
}

function onKoa(space: Space): App {
  const app = new Koa({ proxy: true, maxIpsCount: 1 })
  app.keys = [secret]
  const store = new KoaSessionStore({ space })
  app.use(
    createSession({ store, genid: newSessionId, maxAge: 30 * 60_000, rolling: true, secure: true } as Any, app as Any),
  )
  app.use(async (ctx: Any) => {
    if (ctx.path === '/koa/login') {
      ctx.session.user = 'ann'
      ctx.body = ''
    } else ctx.body = told(ctx.session.user, ctx.ip, ctx.protocol, ctx.get('x-request-id'))
  })
  return app as unknown as App
}

function onHono(space: Space): App {
  const app = new Hono()
  const sessions = fetchSessions({ space, secret, cookie: { name: '__Host-session', maxAgeMs: 30 * 60_000 } })
  app.use(sessions.hono)
  app.get('/hono/login', (c) => {
    session(c.req.raw).set('user', 'ann')
    return c.text('')
  })
  app.get('/hono/me', (c) => {
    const { protocol, hostname } = new URL(c.req.url)
    expect(hostname).toBe('shop.example')
    const ip = currentRequest().client.address
    return c.json(told(session(c.req.raw).get('user'), ip, protocol.slice(0, -1), c.req.header('x-request-id')))
  })
  return app
}

const FRAMEWORKS = { express: onExpress, fastify: onFastify, koa: onKoa, hono: onHono }

let redis: Redis
let space: Space
let ca: Buffer
let pem: string
const agents: Agent[] = []

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Asks as a client of its own address; the client claims another one. */
function ask(agent: Agent, port: number, path: string, cookie = ''): Promise<Answer> {
  const claims = { 'X-Forwarded-For': '6.6.6.6', 'X-Real-IP': '6.6.6.6', Forwarded: 'for=6.6.6.6;host=evil' }
  const headers = { Host: 'shop.example', 'X-Forwarded-Host': 'evil', ...claims, ...(cookie ? { Cookie: cookie } : {}) }
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, headers, agent }, async (res) => {
      let text = ''
      for await (const chunk of res.setEncoding('utf8')) text += chunk
      resolve({ status: res.statusCode!, headers: res.headers, text })
    })
    req.on('error', reject).end()
  })
}

/** Starts two gateways, with what each logs. */
async function gateways(
  options: Partial<GatewayOptions>,
): Promise<{ ports: GatewayPorts; logs: { lines: Logged[] }[] }> {
  const named = Object.keys(FRAMEWORKS).map((service) => ({ service, pathPrefix: `/${service}` }))
  const services = [...named, { service: 'web' }]
  const ports = { port: await freePort(), adminPort: await freePort() }
  const logs = GATEWAY_HOSTS.map(() => listening())
  const both = GATEWAY_HOSTS.map((host, i) =>
    createGateway({
      space,
      host,
      port: ports.port,
      admin: { host, port: ports.adminPort },
      services,
      trustProxy: PROXY,
      logger: logs[i],
      ...options,
    }),
  )
  await Promise.all(both.map((gateway) => gateway.start()))
  return { ports, logs }
}

describeBehindProxies('a session, behind a proxy that ends TLS', () => {
  const sockets = new WebSocketServer({ noServer: true })

  beforeAll(async () => {
    redis = await startRedis()
    space = await openSpace(redis.url)
    const authority = createAuthority(folder, 'ca')
    const { cert, key } = authority.sign('shop', 'DNS:shop.example')
    ca = readFileSync(authority.cert)
    pem = join(folder, 'shop-and-key.pem')
    writeFileSync(pem, Buffer.concat([readFileSync(cert), readFileSync(key)]))
    for (const [service, build] of Object.entries(FRAMEWORKS)) {
      await createWorker({ space, service, app: await build(space) }).start()
    }
    const server = createServer((_req, res) => void res.end())
    server.on('upgrade', (req, socket, head) =>
      sockets.handleUpgrade(req, socket, head, (each) => each.send(currentRequest().client.address)),
    )
    await createWorker({ space, app: server }).start()
  })
  afterAll(async () => {
    for (const agent of agents) agent.destroy()
    await space?.close()
    await redis?.stop()
  })

  describe.each(Object.keys(FRONTS) as FrontName[])('%s of examples/deploy', (example) => {
    let front: Awaited<ReturnType<typeof startFront>>
    let agent: Agent
    let logs: { lines: Logged[] }[]
    beforeAll(async () => {
      const started = await gateways(example === 'haproxyTcp' ? { proxyProtocol: true } : {})
      logs = started.logs
      front = await startFront(example, folder, pem, started.ports)
      agent = new Agent({ ca, servername: 'shop.example', localAddress: CLIENT })
      agents.push(agent)
    })
    afterAll(async () => {
      agent?.destroy()
      front?.process.kill('SIGTERM')
      await front?.process.exited
    })

    test.each(Object.keys(FRAMEWORKS))(
      'of %s: the secure cookie is set, the login lasts, the client is known',
      async (name) => {
        const login = await ask(agent, front.port, `/${name}/login`)
        const cookies = login.headers['set-cookie'] ?? []
        expect(cookies).toEqual([...cookies].filter((cookie) => /;\s*secure/i.test(cookie)))
        const cookie = cookies.map((each) => each.split(';', 1)[0]).join('; ')
        expect(cookie).not.toBe('')
        for (let i = 0; i < 4; i++) {
          const { text, headers } = await ask(agent, front.port, `/${name}/me`, cookie)
          const answer = JSON.parse(text)
          const client = { address: CLIENT, protocol: 'https', host: 'shop.example' }
          const id = headers['x-request-id']
          expect(answer).toMatchObject({ user: 'ann', ip: CLIENT, protocol: 'https', current: { id, client } })
          if (example !== 'haproxyTcp') expect(answer.id).toBe(id)
        }
      },
    )

    test('both gateways have served, and log the client', () => {
      for (const { lines } of logs) {
        const clients = lines.flatMap(({ message, fields }) => (message === 'request' ? [fields.client] : []))
        expect(new Set(clients)).toEqual(new Set([CLIENT]))
      }
    })

    test('a WebSocket is served', async () => {
      const options = { ca, servername: 'shop.example', localAddress: CLIENT, headers: { Host: 'shop.example' } }
      const socket = new WebSocket(`wss://127.0.0.1:${front.port}/`, options)
      const first = await new Promise((resolve, reject) => {
        socket.on('message', (data) => resolve(String(data))).on('error', reject)
      })
      expect(first).toBe(CLIENT)
      socket.close()
      await new Promise((resolve) => socket.on('close', resolve))
    })
  })
})

failOnLeaks()
