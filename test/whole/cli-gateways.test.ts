/** `takespace gateway --processes`: several processes on one port, replaced if they crash, drained together. */
import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { testInLongForm } from '../faults/long-form.js'
import { ask } from '../gateway/serving.js'
import { end } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const { folder, write } = scratch('gateways', [])
/** /slow says on its output that it has begun, and waits for /go. */
const app = write(
  'app.mjs',
  `let go = () => {}
  export default async (req, res) => {
    if (req.url === '/go') go()
    if (req.url === '/slow') {
      console.log('slow has begun')
      await new Promise((resolve) => { go = resolve })
    }
    res.end('served')
  }`,
)

let redis: Redis
let worker: Process
beforeAll(async () => {
  redis = await startRedis()
  worker = startProcess(['takespace', 'worker', app], { env: { TAKESPACE_URL: redis.url } })
  await worker.line(/a worker process is ready/)
})
afterAll(async () => {
  await end(worker)
  await redis.stop()
})

interface Gateways {
  readonly supervisor: Process
  readonly port: number
  readonly adminUrl: string
}

/** The processes that have ever been ready, oldest first. */
const pidsOf = ({ supervisor }: Gateways): number[] =>
  [...supervisor.output().matchAll(/"gatewayPid":(\d+),"presence":"[^"]+","msg":"a gateway process is ready"/g)].map(
    ([, pid]) => Number(pid),
  )

async function startGateways(more: string[] = []): Promise<Gateways> {
  const args = ['gateway', '--port', '0', '--processes', '2', '--admin-port', '0', ...more]
  const supervisor = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: redis.url }, cwd: folder })
  const [, url] = await supervisor.line(/"url":"([^"]+)"/)
  const [, adminUrl] = await supervisor.line(/"adminUrl":"([^"]+)"/)
  const gateways = { supervisor, port: Number(new URL(url as string).port), adminUrl: adminUrl as string }
  await until(() => pidsOf(gateways).length === 2, 'both are ready')
  return gateways
}

const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The number of requests that each process has answered, by its label. */
async function answeredBy(adminUrl: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text()
  const counts = text.matchAll(/^takespace_requests_total\{.*process="(\d+)".*\} (\d+)$/gm)
  const sums = new Map<string, number>()
  for (const [, process, count] of counts) sums.set(process!, (sums.get(process!) ?? 0) + Number(count))
  return sums
}

test('all processes serve one port, and the admin port tells of each', async () => {
  const gateways = await startGateways()
  let asked = 0
  await until(async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gateways.port)))
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['served']))
    asked += answers.length
    return (await answeredBy(gateways.adminUrl)).size === 2
  }, 'both have answered')
  const counts = [...(await answeredBy(gateways.adminUrl)).values()]
  expect(counts.reduce((sum, count) => sum + count)).toBe(asked)
  const metrics = await (await fetch(`${gateways.adminUrl}/metrics`)).text()
  expect(metrics).toMatch(/^takespace_gateway_processes\{.*state="ready".*\} 2$/m)
  const ready = await fetch(`${gateways.adminUrl}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('2 of 2 serve')])
  await end(gateways.supervisor)
})

test('a killed process is replaced on the same port, and others are not disturbed', async () => {
  const gateways = await startGateways()
  const [first, second] = pidsOf(gateways)
  process.kill(first!, 'SIGKILL')
  await until(() => pidsOf(gateways).length === 3, 'it is replaced')
  process.kill(second!, 'SIGKILL')
  await until(() => pidsOf(gateways).length === 4, 'the other is replaced')
  expect((await ask(gateways.port)).text).toBe('served')
  await until(
    async () =>
      /replacements_total\{.*reason="exit".*\} 2$/m.test(await (await fetch(`${gateways.adminUrl}/metrics`)).text()),
    'both are counted',
  )
  await end(gateways.supervisor)
})

test('a stop drains all processes: requests under way are answered, then the port is closed', async () => {
  const gateways = await startGateways(['--drain-delay-ms', '300'])
  const pids = pidsOf(gateways)
  const begun = worker.output().match(/slow has begun/g)?.length ?? 0
  const slow = ask(gateways.port, { path: '/slow' })
  await until(() => (worker.output().match(/slow has begun/g)?.length ?? 0) > begun, 'the request is running')
  gateways.supervisor.kill('SIGTERM')
  await until(async () => (await fetch(`${gateways.adminUrl}/readyz`)).status === 503, 'it says so')
  // Within the drain delay the port is open.
  expect((await ask(gateways.port, { path: '/go', agent: new Agent() })).text).toBe('served')
  expect((await slow).text).toBe('served')
  expect(await gateways.supervisor.exited).toEqual({ code: 0, signal: null })
  await expect(ask(gateways.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(pids.filter(isRunning)).toEqual([])
})

test('without their supervisor the processes drain, and end', async () => {
  const gateways = await startGateways()
  const slow = ask(gateways.port, { path: '/slow' })
  await worker.line(/slow has begun/)
  gateways.supervisor.kill('SIGKILL')
  await gateways.supervisor.exited
  await using space = await openSpace(redis.url)
  const other = createGateway({ space, port: 0 })
  await other.start()
  await ask(Number(new URL(other.url).port), { path: '/go' })
  expect((await slow).text).toBe('served')
  await until(() => !pidsOf(gateways).some(isRunning), 'they have ended')
})

testInLongForm('a port that is taken is told once, as by a single process', async () => {
  const port = String(await freePort())
  const first = startProcess(['takespace', 'gateway', '--port', port, '--processes', '2'], {
    env: { TAKESPACE_URL: redis.url },
    cwd: folder,
  })
  await first.line(/"msg":"listening"/)
  const second = startProcess(['takespace', 'gateway', '--port', port, '--processes', '2'], {
    env: { TAKESPACE_URL: redis.url },
    cwd: folder,
  })
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.output().match(/takespace: Another process listens on this port/g)).toHaveLength(1)
  await end(first)
})

test('services that are longer than a command line may be reach all processes', async () => {
  const services = Array.from({ length: 3_000 }, (_, i) => ({ service: 'web', pathPrefix: `/a-rather-long-path/${i}` }))
  const file = write('many.json', JSON.stringify({ services }))
  const gateways = await startGateways(['--config', file])
  expect((await ask(gateways.port, { path: '/a-rather-long-path/2999/x' })).text).toBe('served')
  expect((await ask(gateways.port)).status).toBe(404)
  await end(gateways.supervisor)
})

failOnLeaks()
