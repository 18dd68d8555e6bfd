/** In the long form alone: a rolling restart of everything behind nginx, HAProxy and Caddy with the files of examples/deploy: no request fails, logins last, and clients are known. */
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, type RequestOptions, request } from 'node:https'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from '@jest/globals'
import { show } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { createAuthority } from '../support/certificates.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { describeBehindProxies, type Front, GATEWAY_HOSTS, type GatewayPorts, startFront } from '../support/proxies.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const APP = fileURLToPath(new URL('secure-shop.js', import.meta.url))
const PER_SECOND = 200
const ROUNDS = 3
/** That of the examples. Longer than the interval of the checks and the time that one takes on a busy machine. */
const DRAIN_DELAY_MS = 5_000
const TICK_MS = 5
/** Between two orders of a browser: each is a TLS connection of its own, and costs. */
const ORDER_EVERY_MS = 100
const FRONT_NAMES = ['nginx', 'haproxy', 'caddy'] as const

const { folder } = scratch('rolling-restart')

let phase = ''

interface Told {
  readonly user: string
  readonly orders: number
  readonly ip: string
  readonly protocol: string
}

/** One browser: its own address, login and connections. */
class Browser {
  /** What went wrong. */
  readonly failures: string[] = []
  answered = 0
  /** GETs sent again since their connection, that of a proxy, closed before an answer (RFC 9110, 9.2.2). */
  repeated = 0
  orders = 0
  isOrdering = false
  #cookie = ''
  readonly #kept: Agent
  readonly #fresh: Agent

  constructor(
    private readonly port: number,
    private readonly address: string,
    ca: Buffer,
  ) {
    const terms = { ca, servername: 'shop.example', localAddress: address }
    this.#kept = new Agent({ ...terms, keepAlive: true, maxSockets: 4 })
    // What must not be sent again goes over a connection that nobody is about to close.
    this.#fresh = new Agent(terms)
  }

  async login(): Promise<void> {
    const { cookies } = await this.#send('POST', '/login', this.address)
    expect(cookies).toEqual([expect.stringMatching(/;\s*Secure/)])
    this.#cookie = cookies[0]!.split(';', 1)[0]!
  }

  async look(): Promise<void> {
    await this.#expect(() => this.#send('GET', '/me'), {})
  }

  async order(): Promise<void> {
    this.isOrdering = true
    if (await this.#expect(() => this.#send('POST', '/order'), { orders: this.orders + 1 })) this.orders++
    this.isOrdering = false
  }

  close(): void {
    for (const agent of [this.#kept, this.#fresh]) agent.destroy()
  }

  async #expect(send: () => Promise<{ told: Told }>, more: Partial<Told>): Promise<boolean> {
    try {
      expect((await send()).told).toMatchObject({ user: this.address, ip: this.address, protocol: 'https', ...more })
      this.answered++
      return true
    } catch (error) {
      this.failures.push(`${phase}: ${String(error)}`)
      return false
    }
  }

  #send(method: string, path: string, body = '', again = false): Promise<{ told: Told; cookies: string[] }> {
    // Another kept connection may be about to end, too.
    const agent = method === 'GET' && !again ? this.#kept : this.#fresh
    const headers = { Host: 'shop.example', 'Content-Type': 'text/plain', 'X-Forwarded-For': '6.6.6.6' }
    const cookie = this.#cookie && { Cookie: this.#cookie }
    const options: RequestOptions = { host: '127.0.0.1', port: this.port, path, method, agent }
    return new Promise((resolve, reject) => {
      const req = request({ ...options, headers: { ...headers, ...cookie } }, (res) => {
        let text = ''
        res.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        res.on('error', reject).on('end', () => {
          if (res.statusCode !== 200) reject(new Error(`${method} ${path}: ${res.statusCode} ${text}`))
          else resolve({ told: JSON.parse(text), cookies: res.headers['set-cookie'] ?? [] })
        })
      })
      req.on('error', (error: NodeJS.ErrnoException) => {
        if (method !== 'GET' || again) return reject(new Error(`${method} ${path}: ${error.code} ${error.message}`))
        this.repeated++
        resolve(this.#send(method, path, body, true))
      })
      req.end(body)
    })
  }
}

describeBehindProxies('a rolling restart', () => {
  let redis: Redis
  const started: Process[] = []
  const browsers: Browser[] = []
  afterAll(async () => {
    for (const browser of browsers) browser.close()
    for (const process of started) process.kill('SIGTERM')
    await Promise.all(started.map(({ exited }) => exited))
    await redis?.stop()
  })

  async function start(args: readonly string[], ready: RegExp): Promise<Process> {
    const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: redis.url } })
    started.push(process)
    await process.line(ready)
    return process
  }

  const startGateway = async (host: string, { port, adminPort }: GatewayPorts): Promise<Process> => {
    const ports = ['--host', host, '--port', `${port}`, '--admin-host', host, '--admin-port', `${adminPort}`]
    const terms = ['--trust-proxy', '127.0.0.1', '--drain-delay-ms', `${DRAIN_DELAY_MS}`]
    return start(['gateway', ...ports, ...terms], /"msg":"listening"/)
  }
  const startWorker = (): Promise<Process> => start(['worker', APP], /worker process is ready/)

  async function end(process: Process): Promise<void> {
    process.kill('SIGTERM')
    expect(await process.exited).toEqual({ code: 0, signal: null })
  }

  testInLongForm(
    'of proxies, gateways, workers and Redis fails no request, and keeps logins and addresses',
    async () => {
      redis = await startRedis({ appendonly: true })
      const authority = createAuthority(folder, 'ca')
      const { cert, key } = authority.sign('shop', 'DNS:shop.example')
      const pem = join(folder, 'shop-and-key.pem')
      writeFileSync(pem, Buffer.concat([readFileSync(cert), readFileSync(key)]))
      const ports = { port: await freePort(), adminPort: await freePort() }
      const gateways = await Promise.all(GATEWAY_HOSTS.map((host) => startGateway(host, ports)))
      const workers = [await startWorker(), await startWorker()]
      const fronts: Front[] = []
      for (const name of FRONT_NAMES) {
        const front = await startFront(name, folder, pem, ports)
        fronts.push(front)
        started.push(front.process)
      }
      const ca = readFileSync(authority.cert)
      for (const [i, front] of fronts.entries()) {
        for (const host of [1, 2]) browsers.push(new Browser(front.port, `127.0.1.${2 * i + host}`, ca))
      }
      for (const browser of browsers) await browser.login()

      let over = false
      const asked: Promise<void>[] = []
      const began = performance.now()
      const load = setInterval(() => {
        const due = ((performance.now() - began) / 1_000) * PER_SECOND
        while (asked.length < due) asked.push(browsers[asked.length % browsers.length]!.look())
      }, TICK_MS)
      // One order at a time of each browser: each is counted once, whatever restarts. None is sent while Redis
      // restarts: of a POST whose write is unanswered then, nobody knows whether it has run (docs/reliability.md).
      const ordering = browsers.map(async (browser) => {
        while (!over) {
          if (phase !== 'Redis') await browser.order()
          await setTimeout(ORDER_EVERY_MS)
        }
      })
      const answered = (): number => browsers.reduce((sum, each) => sum + each.answered, 0)
      const told = (name: (typeof FRONT_NAMES)[number], line: string): number =>
        fronts[FRONT_NAMES.indexOf(name)]!.process.output().split(line).length
      const ups = (i: number): number[] => [
        told('haproxy', `gateways/gateway${i + 1} is UP`),
        told('caddy', `"host is up","host":"${GATEWAY_HOSTS[i]}:`),
      ]
      for (let round = 0; round < ROUNDS; round++) {
        phase = 'proxies'
        for (const front of fronts) await front.reload()
        phase = 'gateways'
        for (const [i, host] of GATEWAY_HOSTS.entries()) {
          const before = ups(i)
          await end(gateways[i]!)
          gateways[i] = await startGateway(host, ports)
          await until(
            () => ups(i).every((count, k) => count > before[k]!),
            'both proxies with checks know that the gateway is back',
          )
        }
        phase = 'workers'
        for (const i of workers.keys()) {
          const old = workers[i]!
          workers[i] = await startWorker()
          await end(old)
        }
        phase = 'Redis'
        await until(() => browsers.every(({ isOrdering }) => !isOrdering), 'no order is on its way')
        await redis.restart()
        const before = answered()
        await until(() => answered() > before + PER_SECOND / 4, 'all is served again')
      }
      over = true
      clearInterval(load)
      await Promise.all([...asked, ...ordering])
      show('a rolling restart of everything', {
        seconds: Math.round((performance.now() - began) / 1_000),
        'looked at': asked.length,
        orders: browsers.reduce((sum, each) => sum + each.orders, 0),
        'sent again on a new connection': browsers.reduce((sum, each) => sum + each.repeated, 0),
        failed: browsers.reduce((sum, each) => sum + each.failures.length, 0),
      })
      expect(browsers.flatMap(({ failures }) => failures)).toEqual([])
    },
    400_000,
  )
})

failOnLeaks()
