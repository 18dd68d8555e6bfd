/** A deploy of the gateways behind a real HAProxy loses no request: it checks /readyz, and neither retries nor redispatches. */
import { Agent, request } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { startProgram, testWith } from '../support/programs.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const CHECK_MS = 500
/** Longer than the interval of the checks and the time that one takes on a busy machine. */
const DRAIN_DELAY_MS = 1_500
const REQUESTS = 1_000

const { write } = scratch('deploys')

interface GatewayAt {
  readonly port: number
  readonly adminPort: number
}

describeOnRedis('a deploy', () => {
  let redis: Redis
  const started: Process[] = []
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  afterEach(async () => {
    // A supervisor that is killed leaves its workers for a while.
    for (const process of started) process.kill('SIGTERM')
    await Promise.all(started.splice(0).map(({ exited }) => exited))
  })

  const start = (...command: string[]): Process => {
    const process = startProcess(command, { env: { TAKESPACE_URL: redis.url } })
    started.push(process)
    return process
  }

  async function startGateway({ port, adminPort }: GatewayAt): Promise<Process> {
    const ports = ['--port', `${port}`, '--admin-port', `${adminPort}`]
    const gateway = start('takespace', 'gateway', ...ports, '--drain-delay-ms', `${DRAIN_DELAY_MS}`)
    await gateway.line(/"msg":"listening"/)
    return gateway
  }

  async function startWorker(): Promise<void> {
    const app = write('app.mjs', 'export default (_req, res) => res.end("ok")\n')
    await start('takespace', 'worker', app).line(/worker process is ready/)
  }

  /** HAProxy in front of the gateways; resolves when both are up. */
  async function startHaproxy(
    gateways: readonly GatewayAt[],
  ): Promise<{ port: number; upAgain(i: number): Promise<void> }> {
    const [port, statsPort] = [await freePort(), await freePort()]
    const config = write(
      'haproxy.cfg',
      `defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen requests
  bind 127.0.0.1:${port}
  option httpchk GET /readyz
  default-server check inter ${CHECK_MS}ms fall 1 rise 1
${gateways.map((at, i) => `  server g${i} 127.0.0.1:${at.port} port ${at.adminPort}\n`).join('')}
listen stats
  bind 127.0.0.1:${statsPort}
  stats enable
  stats uri /
`,
    )
    started.push(startProgram('haproxy', ['-db', '-f', config]))
    const isUp = async (i: number): Promise<boolean> => {
      const table = await (await fetch(`http://127.0.0.1:${statsPort}/;csv`)).text()
      return new RegExp(`^requests,g${i},.*,UP,.*L7OK`, 'm').test(table)
    }
    const upAgain = (i: number): Promise<void> => until(() => isUp(i), `gateway ${i} is up`)
    for (const i of gateways.keys()) await upAgain(i)
    return { port, upAgain }
  }

  testWith(['haproxy'], 'of two gateways, one after the other, loses none of 1,000 requests', async () => {
    const gateways: GatewayAt[] = []
    for (let i = 0; i < 2; i++) gateways.push({ port: await freePort(), adminPort: await freePort() })
    const running = await Promise.all(gateways.map(startGateway))
    await startWorker()
    const { port, upAgain } = await startHaproxy(gateways)

    const statuses = new Map<number | string, number>()
    let deployed = false
    const agents = [new Agent({ keepAlive: true }), new Agent()]
    const sending = Array.from({ length: 4 }, async (_, i) => {
      for (let sent = 0; !deployed || sent < REQUESTS / 4; sent++) {
        const status = await ask(port, agents[i % 2] as Agent)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    })
    for (const [i, at] of gateways.entries()) {
      running[i]!.kill('SIGTERM')
      expect(await running[i]!.exited).toEqual({ code: 0, signal: null })
      expect(running[i]!.output()).toMatch(/the port stays open for the drain delay/)
      running[i] = await startGateway(at)
      await upAgain(i)
    }
    deployed = true
    await Promise.all(sending)
    for (const agent of agents) agent.destroy()
    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThanOrEqual(REQUESTS)
  })

  test('keeps the port open for the drain delay, reports not ready, and ends connections with their next answer', async () => {
    await startWorker()
    const at = { port: await freePort(), adminPort: await freePort() }
    const gateway = await startGateway(at)
    const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${at.adminPort}/readyz`)).status
    expect(await ready()).toBe(200)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const url = `http://127.0.0.1:${at.port}/`
    expect(await connectionOf(url, agent)).toBe('keep-alive')
    gateway.kill('SIGTERM')
    await until(async () => (await ready()) === 503, '/readyz is 503')
    expect(await connectionOf(url, agent)).toBe('close')
    // A new connection.
    expect(await connectionOf(url, agent)).toBe('close')
    agent.destroy()
    expect(await gateway.exited).toEqual({ code: 0, signal: null })
  })
})

/** Resolves with the status, or with the code of the error. */
const ask = (port: number, agent: Agent): Promise<number | string> =>
  new Promise((resolve) => {
    const req = request({ port, host: '127.0.0.1', agent }, (res) => {
      res.on('end', () => resolve(res.statusCode as number)).on('error', () => resolve('cut'))
      res.resume()
    })
    req.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    req.end()
  })

const connectionOf = (url: string, agent: Agent): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const req = request(url, { agent }, (res) => {
      res.on('end', () => resolve(res.headers.connection)).resume()
    })
    req.on('error', reject).end()
  })

failOnLeaks()
