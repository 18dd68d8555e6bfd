/** The app's own prom-client: the admin port of a supervisor merges what its processes have counted. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { form } from '../faults/form.js'
import { readExposition } from '../support/exposition.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const { write } = scratch('app-metrics', ['prom-client'])

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

async function started(app: string, name: string): Promise<[Process, string, string]> {
  const env = { TAKESPACE_URL: redis.url, TAKESPACE_NAME: name }
  const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env })
  const worker = startProcess(['takespace', 'worker', app, '--processes', '2', '--admin-port', '0'], { env })
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  const [, adminUrl] = await worker.line(/"adminUrl":"([^"]+)"/)
  await until(async () => (await fetch(`${adminUrl}/startupz`)).ok, 'it has started')
  ends.push(gateway, worker)
  return [worker, url!, adminUrl!]
}

const ends: Process[] = []
afterAll(async () => {
  for (const process of ends) process.kill('SIGTERM')
  for (const { exited } of ends) expect(await exited).toEqual({ code: 0, signal: null })
})

const metricsOf = async (adminUrl: string): Promise<Map<string, number>> =>
  readExposition(await (await fetch(`${adminUrl}/metrics`)).text())

/** What both kinds of app do. A name that takespace has, too, is not the app's. */
const COUNTS = `
  const orders = new Counter({ name: 'shop_orders_total', help: 'Orders.', labelNames: ['kind'] })
  const highest = new Gauge({ name: 'shop_highest', help: 'The highest.', aggregator: 'max' })
  const seconds = new Histogram({ name: 'shop_seconds', help: 'Times.', buckets: [1] })
  new Gauge({ name: 'takespace_drained', help: 'Not ours.' }).set(7)
  highest.set(process.pid)
  const app = (req, res) => {
    orders.inc({ kind: 'book' })
    seconds.observe(0.5)
    res.end(String(process.pid))
  }
`

const APPS = [
  ['ESM', 'app.mjs', `import { Counter, Gauge, Histogram } from 'prom-client'\n${COUNTS}\nexport default app`],
  [
    'TypeScript',
    'app.ts',
    `import { Counter, Gauge, Histogram } from 'prom-client'\n${COUNTS}\nexport default app as unknown`,
  ],
  [
    'CommonJS',
    'app.cjs',
    `const { Counter, Gauge, Histogram } = require('prom-client')\n${COUNTS}\nmodule.exports = app`,
  ],
] as const

test.each(APPS.slice(0, form(1, APPS.length)))(
  'an app in %s: counters are summed up, gauges as they say',
  async (what, file, text) => {
    const [, url, adminUrl] = await started(write(file, text), what)
    const pids = new Set<number>()
    let asked = 0
    await until(async () => {
      const headers = { connection: 'close' }
      const answers = Array.from({ length: 40 }, async () => Number(await (await fetch(url, { headers })).text()))
      for (const pid of await Promise.all(answers)) pids.add(pid)
      asked += 40
      return pids.size === 2
    }, 'both processes have served')
    const metrics = await metricsOf(adminUrl)
    expect(metrics.get('shop_orders_total{kind="book"}')).toBe(asked)
    expect(metrics.get('shop_seconds_count')).toBe(asked)
    expect(metrics.get('shop_seconds_bucket{le="1"}')).toBe(asked)
    expect(metrics.get('shop_highest')).toBe(Math.max(...pids))
    expect([...metrics].filter(([name]) => name.startsWith('takespace_drained'))).toEqual([
      ['takespace_drained{process="supervisor"}', 0],
      ['takespace_drained{process="0"}', 0],
      ['takespace_drained{process="1"}', 0],
    ])
  },
)

const LEFT_OUT = [
  ['/many', 'they are too many'],
  ['/fail', 'reading them failed'],
] as const

test.each(LEFT_OUT.slice(0, form(1, 2)))(
  'metrics of an app that cannot be merged are left out: %s',
  async (path, why) => {
    const app = `import { Counter, Gauge } from 'prom-client'
    const many = new Counter({ name: 'shop_many_total', help: 'Many.', labelNames: ['id'] })
    let fails = false
    new Gauge({ name: 'shop_failing', help: 'Fails.', collect() { if (fails) throw new Error('as told') } })
    export default (req, res) => {
      if (req.url === '/fail') fails = true
      else for (let i = 0; i < 21000; i++) many.inc({ id: i })
      res.end()
    }`
    const [worker, url, adminUrl] = await started(write('failing.mjs', app), path.slice(1))
    expect([...(await metricsOf(adminUrl)).keys()]).toContain('shop_failing')
    await (await fetch(url + path, { headers: { connection: 'close' } })).text()
    expect((await metricsOf(adminUrl)).get('takespace_turns_capacity{service="web",process="1"}')).toBe(16)
    await worker.line(new RegExp(`the metrics of the app are left out: ${why}`))
  },
)

failOnLeaks()
