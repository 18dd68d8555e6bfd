/** A real Prometheus with the rules of examples/deploy/observability, while faults strike: the right alerts fire, and every panel has data. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect } from '@jest/globals'
import { show } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Load, startLoad } from '../support/load.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { startProgram } from '../support/programs.js'
import { type Redis, startRedis } from '../support/redis.js'
import { textOf } from '../support/repository.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'
import { type Dashboard, panelsOf } from './panels.js'

const FOLDER = 'examples/deploy/observability'
const { folder, write } = scratch('alerts')
const FIRES_WITHIN_MS = 120_000

/** The rules' times in seconds, so that a fault need not last for minutes; all else is as in the files. */
const TIMES: Readonly<Record<string, string>> = {
  '1h': '3s',
  '15m': '20s',
  '5m': '20s',
  '2m': '2s',
  '1m': '2s',
  '30s': '2s',
  '15s': '1s',
}
const faster = (text: string): string => text.replace(/\b(1h|15m|5m|2m|1m|30s|15s)\b/g, (time) => TIMES[time]!)

/** Requests that make each fault of an app. */
const app = write(
  'app.mjs',
  `export default {
    app: (req, res) => {
      if (req.url === '/fails') throw new Error('as told')
      if (req.url === '/exits') process.exit(1)
      if (req.url === '/blocks') for (const until = Date.now() + 3000; Date.now() < until; ) {}
      if (req.url === '/streams') {
        res.write('x'.repeat(200000))
        setTimeout(() => res.end(), 1000)
      } else res.end('served')
    },
    tasks: { double: (n) => 2 * n },
  }`,
)

interface Answer {
  readonly data: { readonly result: readonly { readonly metric: Record<string, string> }[] }
}

let redis: Redis
const started: Process[] = []
afterAll(async () => {
  for (const process of started) process.kill('SIGTERM')
  await Promise.all(started.map(({ exited }) => exited))
  await redis?.stop()
})

async function start(...args: string[]): Promise<Process> {
  const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: redis.url, TAKESPACE_RELEASE: 'a' } })
  started.push(process)
  await process.line(/"msg":"listening"|worker process is ready|"msg":"ready"/)
  return process
}

async function end(process: Process): Promise<void> {
  process.kill('SIGTERM')
  await process.exited
}

async function startPrometheus(targets: readonly number[]): Promise<string> {
  const port = await freePort()
  const config = faster(textOf(`${FOLDER}/prometheus.yaml`))
    .replace('10.0.0.11:9090', `127.0.0.1:${targets[0]}`)
    .replace('10.0.0.21:9091', `127.0.0.1:${targets[1]}`)
  for (const name of ['rules.yaml', 'alerts.yaml'])
    writeFileSync(join(folder, name), faster(textOf(`${FOLDER}/${name}`)))
  mkdirSync(join(folder, 'data'), { recursive: true })
  const args = [`--config.file=${write('prometheus.yaml', config)}`, `--storage.tsdb.path=${folder}/data`]
  const prometheus = startProgram('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`], { cwd: folder })
  started.push(prometheus)
  const url = `http://127.0.0.1:${port}`
  await until(async () => (await fetch(`${url}/-/ready`)).ok, 'Prometheus is ready')
  return url
}

testInLongForm(
  'each fault fires its alert, and every panel of the dashboard has data',
  async () => {
    redis = await startRedis()
    const [port, ofGateway, ofWorkers] = [await freePort(), await freePort(), await freePort()]
    const gatewayArgs = [
      'gateway',
      '--port',
      `${port}`,
      '--admin-port',
      `${ofGateway}`,
      '--timeout-ms',
      '25000',
      '--scheduler',
    ]
    const workerArgs = [
      'worker',
      app,
      '--processes',
      '2',
      '--admin-port',
      `${ofWorkers}`,
      '--blocked-timeout-ms',
      '1000',
    ]
    const gateway = await start(...gatewayArgs)
    let workers = await start(...workerArgs)
    const prometheus = await startPrometheus([ofGateway, ofWorkers])
    const url = `http://127.0.0.1:${port}`
    const fired = new Set<string>()

    const ask = async (query: string): Promise<Answer['data']['result']> => {
      const answer = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(query)}`)
      if (!answer.ok) throw new Error(await answer.text())
      return ((await answer.json()) as Answer).data.result
    }
    const firing = async (): Promise<string[]> =>
      (await ask('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname!)
    const fires = async (alert: string): Promise<void> => {
      await until(async () => (await firing()).includes(alert), `${alert} fires`, FIRES_WITHIN_MS)
      fired.add(alert)
    }
    const ends = (...alerts: string[]): Promise<void> =>
      until(
        async () => {
          const now = await firing()
          return alerts.every((alert) => !now.includes(alert))
        },
        `${alerts} end`,
        FIRES_WITHIN_MS,
      )
    const get = (path: string): Promise<Response | undefined> => fetch(url + path).catch(() => undefined)
    const enqueue = (): Promise<unknown> =>
      startProcess(['takespace', 'enqueue', 'double', '2', '--url', redis.url]).exited

    // Whatever fires while nothing is wrong but the AOF, would wake somebody for nothing.
    const load: Load = startLoad(url, { perSecond: 20, method: 'GET', path: () => '/' })
    await enqueue()
    await get('/streams')
    await fires('TakespaceRedisWithoutAof')
    await ends('TakespaceAbsent', 'TakespaceDown', 'TakespaceSpaceSilent')
    expect(await firing()).toEqual(['TakespaceRedisWithoutAof'])

    const dashboard = JSON.parse(textOf(`${FOLDER}/dashboard.json`)) as Dashboard
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1gb')
    for (const { title, queries } of panelsOf(dashboard)) {
      for (const query of queries) {
        const expr = query.replaceAll('$__rate_interval', '20s')
        await until(async () => (await ask(expr)).length > 0, `the panel ${title} has data: ${expr}`)
      }
    }
    await load.stop()

    const errors = startLoad(url, { perSecond: 20, method: 'GET', path: () => '/fails' })
    await fires('TakespaceErrors')
    await errors.stop()

    void get('/blocks')
    await fires('TakespaceBlockedLoop')
    // Each of these kills as many workers as a request may have.
    const exits = startLoad(url, { perSecond: 2, method: 'GET', path: () => '/exits' })
    await fires('TakespaceProcessesReplaced')
    await exits.stop()
    await fires('TakespaceDeadLetters')

    const used = Number(/used_memory:(\d+)/.exec(await redis.cli('INFO', 'memory'))![1])
    await redis.cli('CONFIG', 'SET', 'maxmemory', String(Math.round(used * 1.15)))
    await fires('TakespaceRedisMemory')
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1gb', 'maxmemory-policy', 'allkeys-lru')
    await fires('TakespaceRedisMayEvict')
    await redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')

    await startProcess(['takespace', 'pause', 'web', '--url', redis.url]).exited
    await fires('TakespacePaused')
    await startProcess(['takespace', 'resume', 'web', '--url', redis.url]).exited

    await end(workers)
    await fires('TakespaceDown')
    const waiting = startLoad(url, { perSecond: 2, method: 'GET', path: () => '/' })
    await fires('TakespaceNoWorker')
    await fires('TakespaceRequestsWait')
    workers = await start(...workerArgs)
    await waiting.stop()
    await ends('TakespaceDown', 'TakespaceNoWorker', 'TakespaceRequestsWait')

    redis.pause()
    await fires('TakespaceSpaceUnreachable')
    await fires('TakespaceSpaceSilent')
    redis.resume()
    await ends('TakespaceSpaceUnreachable', 'TakespaceSpaceSilent')

    await Promise.all([end(gateway), end(workers)])
    await fires('TakespaceAbsent')
    await start(...gatewayArgs)
    await start(...workerArgs)
    await ends('TakespaceAbsent', 'TakespaceDown')
    show('alerts that fired under their faults', { alerts: [...fired].join(' '), count: fired.size })
  },
  600_000,
)

failOnLeaks()
