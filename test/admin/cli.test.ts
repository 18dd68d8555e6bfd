/** --admin-port of `takespace gateway` and `takespace worker`, as real processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'

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
  ['worker', ['worker', app], /worker process is ready/, 'takespace_turns_in_flight{service="web"} 0'],
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

test('several processes cannot share one: the command line says what to do', async () => {
  const process = startProcess(['takespace', 'worker', app, '--processes', '2', '--admin-port', '0'])
  expect((await process.exited).code).not.toBe(0)
  expect(process.output()).toContain('--processes 1')
})

failOnLeaks()
