/** A deploy of the gateways behind a real HAProxy loses no request: it checks /readyz, and neither retries nor redispatches. */
import { Agent, request } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { describeOnRedis } from '../support/every-engine.js'
import { type GatewayAt, startHaproxy } from '../support/haproxy.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { testWith } from '../support/programs.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

/** Longer than the interval of the checks and the time that one takes on a busy machine. */
const DRAIN_DELAY_MS = 1_500
const REQUESTS = 1_000

const { write } = scratch('deploys')

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

  testWith(['haproxy'], 'of two gateways, one after the other, loses none of 1,000 requests', async () => {
    const gateways: GatewayAt[] = []
    for (let i = 0; i < 2; i++) gateways.push({ port: await freePort(), adminPort: await freePort() })
    const running = await Promise.all(gateways.map(startGateway))
    await startWorker()
    const { port, process, upAgain } = await startHaproxy(gateways, write)
    started.push(process)

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
