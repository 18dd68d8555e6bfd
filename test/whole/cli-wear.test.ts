/** `takespace worker --max-requests` and `--max-memory`: worn processes are replaced under load, and no request fails. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { readExposition } from '../support/exposition.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

/** Answers, after a while, with the process that ran; /leak keeps 20 MB for ever. */
const APP = `
const kept = []
export default async (req, res) => {
  if (req.url === '/leak') kept.push(Buffer.alloc(20 << 20, 1))
  await new Promise((resolve) => setTimeout(resolve, 10))
  res.end(String(process.pid))
}
`

const folder = mkdtempSync(join(tmpdir(), 'takespace-wear-'))
const app = join(folder, 'app.mjs')
let redis: Redis
const spaces: Space[] = []
afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()))
})
beforeAll(async () => {
  writeFileSync(app, APP)
  redis = await startRedis({ appendonly: true })
})
afterAll(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

const start = (name: string, command: string[]): Process =>
  startProcess(['takespace', ...command, '--name', name], { env: { TAKESPACE_URL: redis.url } })

async function startBoth(name: string, wear: string[]): Promise<[Process, string]> {
  const space = await openSpace(redis.url, { name })
  spaces.push(space)
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  const worker = start(name, ['worker', app, ...wear])
  await worker.line(/a worker process is ready/)
  return [worker, gateway.url]
}

async function end(worker: Process): Promise<void> {
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
}

test('--max-requests: under load each process is replaced after so many, and none of the POSTs fails', async () => {
  const [worker, url] = await startBoth('requests', ['--max-requests', '50', '--processes', '2'])
  const load = startLoad(url, { perSecond: 100, method: 'POST', path: (n) => `/${n}` })
  const processes = (): Set<string> => new Set(load.answers.map(({ text }) => text))
  await until(() => processes().size >= 4, 'four processes have answered')
  const answers = await load.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(worker.output()).toMatch(/"reason":"[5-9]\d requests".*a worker process is due for recycling and is replaced/)
  // The old one is told to go when the new one is ready, so nobody ended unasked.
  expect(worker.output()).not.toMatch(/a worker process ended and is replaced/)
  await end(worker)
})

test('--max-memory: a process that leaks is replaced', async () => {
  const [worker, url] = await startBoth('memory', ['--max-memory', '250'])
  const seen = new Set<string>()
  await until(async () => {
    seen.add(await (await fetch(`${url}/leak`)).text())
    return seen.size >= 2
  }, 'another process answers')
  expect(worker.output()).toMatch(/"reason":"\d+ MB of memory"/)
  await end(worker)
})

test('--max-memory below what the app takes at its start: said once, not replaced for ever', async () => {
  const [worker, url] = await startBoth('small', ['--max-memory', '10'])
  await worker.line(/uses more than --max-memory at startup/)
  expect((await fetch(url)).status).toBe(200)
  await end(worker)
})

test('with an admin port, too, each successor is ready before the worn one goes', async () => {
  const [worker, url] = await startBoth('admin', ['--max-requests', '5', '--admin-port', '0'])
  const [, admin] = await worker.line(/"adminUrl":"([^"]+)"/)
  const seen = new Set<string>()
  await until(async () => {
    const response = await fetch(url, { method: 'POST' })
    expect(response.status).toBe(200)
    seen.add(await response.text())
    expect((await fetch(`${admin}/readyz`)).status).toBe(200)
    return seen.size >= 3
  }, 'three processes have answered')
  const series = readExposition(await (await fetch(`${admin}/metrics`)).text())
  expect(series.get('takespace_worker_replacements_total{reason="requests"}')).toBeGreaterThanOrEqual(2)
  await end(worker)
})

failOnLeaks()
