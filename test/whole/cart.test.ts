/** examples/cart as its page says: who is logged in stays so, and the cart is there, when the worker that served it is killed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Browser } from '../session/serving.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

let redis: Redis
let gateway: Process
let workers: Process
let url: string
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  const env = { TAKESPACE_URL: redis.url }
  gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env })
  workers = startProcess(['takespace', 'worker', './examples/cart/app.js', '--processes', '2'], { env })
  url = (await gateway.line(/"url":"([^"]+)"/))[1] as string
  await until(() => readied().length >= 2, 'two worker processes are ready')
})
afterAll(async () => {
  for (const each of [workers, gateway]) {
    each.kill('SIGTERM')
    await each.exited
  }
  await redis.stop()
})

const readied = () =>
  [...workers.output().matchAll(/"workerPid":(\d+)[^\n]*"a worker process is ready"/g)].map(([, pid]) => Number(pid))
const pidIn = (text: string): number => Number(/Served by process (\d+)/.exec(text)?.[1])
const post = (body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
})

test('log in, kill the worker that served it, the cart is still there', async () => {
  const browser = new Browser(url)
  expect((await browser.get('/login', post('user=ann'))).status).toBe(303)
  expect((await browser.get('/cart', post('item=tea'))).status).toBe(303)
  for (let kills = 1; kills <= 3; kills++) {
    const before = await browser.get('/')
    expect(before.text).toContain('<h1>ann</h1>')
    process.kill(pidIn(before.text), 'SIGKILL')
    const after = await browser.get('/')
    expect(after.status).toBe(200)
    expect(after.text).toContain('<li>tea</li>')
    expect(pidIn(after.text)).not.toBe(pidIn(before.text))
    await until(() => readied().length >= 2 + kills, 'another one is ready')
  }
  // And it ends for all who have it.
  const elsewhere = new Browser(url)
  await elsewhere.get('/login', post('user=ann'))
  await elsewhere.get('/logout-everywhere', post(''))
  expect((await browser.get('/')).text).not.toContain('ann')
  expect((await elsewhere.get('/')).text).toContain('<h1>ann</h1>')
})

failOnLeaks()
