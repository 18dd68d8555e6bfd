/** A worker process and the clients of its event streams: those that leave cost those that stay nothing. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type ClientRequest, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const APP = `
import express from 'express'
const app = express()
app.get('/:kind', (req, res) => {
  res.set('content-type', 'text/event-stream')
  res.flushHeaders()
  const timer = setInterval(() => res.write('data: tick\\n\\n'), 100)
  if (req.params.kind !== 'forgetful') req.on('close', () => clearInterval(timer))
})
export default app
`

const folder = mkdtempSync(join(tmpdir(), 'takespace-departures-'))
const app = join(folder, 'app.mjs')
let redis: Redis
beforeAll(async () => {
  writeFileSync(app, APP)
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'))
  redis = await startRedis({ appendonly: true })
})
afterAll(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Watcher {
  readonly req: ClientRequest
  events: number
  isOver: boolean
}

/** Resolves with its first event. */
function watch(url: string): Promise<Watcher> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false }, (res) => {
      res.on('error', () => {})
      res.on('close', () => {
        watcher.isOver = true
      })
      res.on('data', () => {
        watcher.events++
        resolve(watcher)
      })
    })
    const watcher = { req, events: 0, isOver: false }
    req.on('error', reject).end()
  })
}

/** Has this many clients see an event and leave. */
async function visit(url: string, times: number): Promise<void> {
  const visitors = await Promise.all(Array.from({ length: times }, () => watch(url)))
  for (const { req } of visitors) req.destroy()
}

test('more leave than a process may have overrun handlers: it is not replaced; handlers that go on writing are found', async () => {
  const env = { TAKESPACE_URL: redis.url }
  const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env })
  const worker = startProcess(['takespace', 'worker', app, '--stop-timeout-ms', '500'], { env })
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  await worker.line(/a worker process is ready/)
  const watcher = await watch(`${url}/usual`)
  await visit(`${url}/usual`, 80)
  await visit(`${url}/forgetful`, 3)
  // By then the 80 have been overrun handlers for as long.
  await until(() => worker.output().match(/the handler runs on/g)?.length === 3, 'the three are found')
  const { events } = watcher
  await until(() => watcher.events > events + 5, 'whoever stays is told more')
  expect(worker.output()).not.toMatch(/is due for recycling and is replaced/)
  expect([watcher.isOver, worker.output().match(/the handler runs on/g)?.length]).toEqual([false, 3])
  watcher.req.destroy()
  for (const process of [worker, gateway]) {
    process.kill('SIGTERM')
    expect(await process.exited).toEqual({ code: 0, signal: null })
  }
}, 90_000)

failOnLeaks()
