/** A real Prometheus with the rules of examples/deploy/observability, while faults strike: every alert fires, and every panel has data. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect } from '@jest/globals'
import { load as parsed } from 'js-yaml'
import { bytesOf, flip } from '../damage/damage.js'
import { show } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Load, startLoad } from '../support/load.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { startProgram } from '../support/programs.js'
import { type Redis, startRedis } from '../support/redis.js'
import { pathOf, textOf } from '../support/repository.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'
import { type Dashboard, panelsOf } from './panels.js'

const FOLDER = 'examples/deploy/observability'
const { folder, write } = scratch('alerts')
const FIRES_WITHIN_MS = 120_000

/** The durations with which generate.mjs writes the rules, so that a fault need not last for minutes; all else is as in the files. */
const TIMES = '1h=3s,15m=20s,5m=20s,2m=2s,1m=2s,30s=2s'

const app = pathOf('test/deploy/faulty-shop.js')

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[]
  }
}

let redis: Redis
/** Workers are behind it. */
let link: Link
const started: Process[] = []
afterAll(async () => {
  for (const process of started) process.kill('SIGTERM')
  await Promise.all(started.map(({ exited }) => exited))
  await link?.close()
  await redis?.stop()
})

async function start(command: readonly string[], url: string, release = 'a'): Promise<Process> {
  const process = startProcess(command, { env: { TAKESPACE_URL: url, TAKESPACE_RELEASE: release } })
  started.push(process)
  await process.line(/"msg":"listening"|worker process is ready|"msg":"ready"|the program is ready/)
  return process
}

async function end(process: Process): Promise<void> {
  process.kill('SIGTERM')
  await process.exited
}

const command = async (...args: string[]): Promise<void> => {
  const ran = startProcess(['takespace', ...args, '--url', redis.url])
  expect([args, (await ran.exited).code, ran.output()]).toEqual([args, 0, expect.anything()])
}

async function startPrometheus(targets: readonly number[]): Promise<string> {
  const port = await freePort()
  const list = targets.map((target) => `          - 127.0.0.1:${target}\n`).join('')
  const config = textOf(`${FOLDER}/prometheus.yaml`)
    .replaceAll(': 15s', ': 1s')
    .replace(/^ {10}- 10\.0\.0\.11[\s\S]*$/m, list)
  execFileSync(process.execPath, [pathOf(`${FOLDER}/generate.mjs`), '--times', TIMES, '--into', folder])
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
    link = await startLink(redis.port)
    const [port, ofGateway, ofWorkers] = [await freePort(), await freePort(), await freePort()]
    const [programPort, ofProgram] = [await freePort(), await freePort()]
    const gatewayLine = ['takespace', 'gateway', '--scheduler', '--timeout-ms', '25000', '--port', `${port}`]
    const workersLine = ['takespace', 'worker', app, '--processes', '2', '--blocked-timeout-ms', '1000']
    const startGateway = () => start([...gatewayLine, '--admin-port', `${ofGateway}`], redis.url)
    const startWorkers = () => start([...workersLine, '--admin-port', `${ofWorkers}`], link.url)
    const gateway = await startGateway()
    let workers = await startWorkers()
    const program = await start([pathOf('test/deploy/small-gateway.js'), `${programPort}`, `${ofProgram}`], redis.url)
    const prometheus = await startPrometheus([ofGateway, ofWorkers, ofProgram])
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
    const get = (path: string, init?: RequestInit): Promise<Response | undefined> =>
      fetch(url + path, init).catch(() => undefined)

    // Whatever fires while nothing is wrong but the AOF, would wake somebody for nothing.
    const load: Load = startLoad(url, { perSecond: 20, method: 'GET', path: () => '/' })
    await command('enqueue', 'double', '2')
    await get('/streams')
    await fires('TakespaceRedisWithoutAof')
    await ends('TakespaceAbsent', 'TakespaceDown', 'TakespaceSpaceSilent')
    expect(await firing()).toEqual(['TakespaceRedisWithoutAof'])

    const panels = panelsOf(JSON.parse(textOf(`${FOLDER}/dashboard.json`)) as Dashboard)
    const queries = panels.flatMap((panel) => panel.queries.map((query) => ({ title: panel.title, query })))
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1gb')
    for (const { title, query } of queries) {
      const expr = query.replaceAll('$__rate_interval', '20s')
      const hasData = async () => (await ask(expr)).some(({ value }) => Number.isFinite(Number(value[1])))
      await until(hasData, `the panel ${title} has data: ${expr}`)
    }
    show('panels that have data', { panels: panels.length, queries: queries.length })

    link.dropPushes(true)
    await fires('TakespacePushesLost')
    link.dropPushes(false)
    await load.stop()

    const other = await start(['takespace', 'worker', app], redis.url, 'b')
    await fires('TakespaceVersionSkew')
    await end(other)
    await ends('TakespaceVersionSkew')

    const errors = startLoad(url, { perSecond: 20, method: 'GET', path: () => '/fails' })
    await fires('TakespaceErrors')
    await errors.stop()

    // Nine of the ten requests that the program admits; and more than 16 handlers that go on when their clients leave.
    const clients = new AbortController()
    const lingering = [
      ...Array.from({ length: 9 }, () => fetch(`http://127.0.0.1:${programPort}/lingers`, clients)),
      ...Array.from({ length: 20 }, () => fetch(`${url}/lingers`, clients)),
    ].map((request) => request.catch(() => undefined))
    await fires('TakespaceGatewayFull')
    clients.abort()
    await Promise.all(lingering)
    await fires('TakespaceOverrunHandlers')

    await command('write', 'Order', 'amount=many')
    await fires('TakespaceNonconforming')

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

    // The supervisor starts processes that exit again and again after a pause.
    await until(async () => (await get('/'))?.status === 200, 'requests are served again', FIRES_WITHIN_MS)
    await command('pause', 'web')
    await fires('TakespacePaused')
    void get('/damaged', { method: 'POST', body: 'of a request that waits' })
    const bytes = bytesOf(redis)
    const waiting = async () => [...(await bytes.records())].find(([, record]) => record.includes('/damaged'))
    await until(async () => (await waiting()) !== undefined, 'a request waits')
    const [id, record] = (await waiting())!
    await bytes.put(id, flip(record, record.length - 5, 1))
    bytes.close()
    await command('resume', 'web')
    await fires('TakespaceDamaged')
    await until(async () => (await get('/'))?.status === 200, 'requests are served again')

    await end(workers)
    await fires('TakespaceDown')
    const unserved = startLoad(url, { perSecond: 2, method: 'GET', path: () => '/' })
    await fires('TakespaceNoWorker')
    await fires('TakespaceRequestsWait')
    workers = await startWorkers()
    await unserved.stop()
    await ends('TakespaceDown', 'TakespaceNoWorker', 'TakespaceRequestsWait')

    redis.pause()
    await fires('TakespaceSpaceUnreachable')
    await fires('TakespaceSpaceSilent')
    redis.resume()
    await ends('TakespaceSpaceUnreachable', 'TakespaceSpaceSilent')

    await Promise.all([gateway, workers, program].map(end))
    await fires('TakespaceAbsent')
    await startGateway()
    await startWorkers()
    await ends('TakespaceAbsent')
    show('alerts that fired under their faults', { alerts: [...fired].join(' '), count: fired.size })
    const { groups } = parsed(textOf(`${FOLDER}/alerts.yaml`)) as {
      groups: readonly { readonly rules: readonly { readonly alert: string }[] }[]
    }
    expect([...fired].sort()).toEqual(groups.flatMap(({ rules }) => rules.map(({ alert }) => alert)).sort())
  },
  900_000,
)

failOnLeaks()
