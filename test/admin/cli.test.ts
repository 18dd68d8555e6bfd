/** --admin-port of `takespace gateway` and `takespace worker`, as real processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readExposition } from '../support/exposition.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const folder = mkdtempSync(join(tmpdir(), 'takespace-admin-'))
const app = join(folder, 'app.mjs')
let redis: Redis
beforeAll(async () => {
  writeFileSync(app, 'export default (req, res) => res.end()')
  redis = await startRedis()
})
afterAll(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

test.each([
  ['gateway', ['gateway', '--port', '0'], /"msg":"listening"/, 'takespace_requests_in_flight 0'],
  ['worker', ['worker', app], /worker process is ready/, 'takespace_turns_in_flight{service="web",process="0"} 0'],
])('%s', async (_what, args, started, metric) => {
  const env = { TAKESPACE_URL: redis.url }
  const process = startProcess(['takespace', ...args, '--admin-port', '0'], { env })
  await process.line(started)
  const [, url] = await process.line(/"adminUrl":"([^"]+)"/)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(metric)
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
})

test('several worker processes have one, of their supervisor: it names each of them, and what it tells is well-formed', async () => {
  const flags = ['--processes', '2', '--admin-port', '0', '--name', 'two']
  const process = startProcess(['takespace', 'worker', app, ...flags], { env: { TAKESPACE_URL: redis.url } })
  const [, url] = await process.line(/"adminUrl":"([^"]+)"/)
  await until(async () => (await fetch(`${url}/startupz`)).status === 200, 'it has started')
  const ready = await fetch(`${url}/readyz`)
  expect([ready.status, await ready.json()]).toMatchObject([200, { checks: { processes: '2 of 2 serve' } }])
  const series = readExposition(await (await fetch(`${url}/metrics`)).text())
  expect(Object.fromEntries(series)).toMatchObject({
    'takespace_worker_processes{state="ready"}': 2,
    'takespace_worker_replacements_total{reason="exit"}': 0,
    'takespace_turns_capacity{service="web",process="0"}': 16,
    'takespace_turns_capacity{service="web",process="1"}': 16,
    'takespace_service_seconds_bucket{le="+Inf",service="web",process="1"}': 0,
    'takespace_space_connected{process="supervisor"}': 1,
    'takespace_space_connected{process="1"}': 1,
  })
  expect(series.get('process_resident_memory_bytes{process="0"}')).toBeGreaterThan(2 ** 20)
  // What is in the space is asked once, not by each.
  const waiting = (name: string): boolean => name.startsWith('takespace_waiting{')
  expect([...series.keys()].filter(waiting)).toEqual(['takespace_waiting{service="web",process="supervisor"}'])

  redis.pause()
  try {
    // Answered while Redis stands still.
    const frozen = readExposition(await (await fetch(`${url}/metrics`)).text())
    expect([...frozen.keys()].filter(waiting)).toEqual([])
    expect(frozen.get('takespace_turns_capacity{service="web",process="1"}')).toBe(16)
  } finally {
    redis.resume()
  }
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
})

/** A request with any Host header, which fetch would not send. */
const asked = (url: string, host: string | undefined): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const request = get({
      hostname,
      port,
      path: '/readyz',
      setHost: false,
      headers: host === undefined ? {} : { host },
    })
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    request.on('error', reject)
  })

test.each([
  ['gateway', ['gateway', '--port', '0'], /"msg":"listening"/],
  ['worker', ['worker', app], /worker process is ready/],
])(
  '%s: the admin port answers no host that it does not know, as a page that is rebound to it would name',
  async (_what, args, started) => {
    const env = { TAKESPACE_URL: redis.url, TAKESPACE_ADMIN_ALLOWED_HOSTS: 'metrics.internal,other' }
    const process = startProcess(['takespace', ...args, '--admin-port', '0', '--name', 'hosts'], { env })
    await process.line(started)
    const [, url] = await process.line(/"adminUrl":"([^"]+)"/)
    const { port } = new URL(url!)
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.1.2.3', 'Metrics.Internal', 'other', hostname()]) {
      expect([host, await asked(url!, `${host}:${port}`), await asked(url!, host)]).toEqual([host, 200, 200])
    }
    for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example']) {
      expect([host, await asked(url!, host)]).toEqual([host, 421])
    }
    process.kill('SIGTERM')
    expect((await process.exited).code).toBe(0)
  },
)

failOnLeaks()
