/** A smoke test of one runtime, run by that runtime: the library in memory and, if given one, on Redis: an HTTP request is answered, a task called. */
import assert from 'node:assert/strict'
import { createGateway } from '../../dist/gateway/index.js'
import { createClient, defineEntry, openSpace } from '../../dist/src/index.js'
import { createWorker } from '../../dist/workers/index.js'

const Job = defineEntry('Job')

async function smoke(url) {
  const space = await openSpace(url, { name: `smoke-${process.pid}` })
  const app = (req, res) => {
    let body = ''
    req.on('data', (chunk) => {
      body += chunk
    })
    req.on('end', () => res.end(`${req.method} ${req.url} ${body}`))
  }
  const worker = createWorker({ space, app, tasks: { double: ({ n }) => ({ n: 2 * n }) } })
  const gateway = createGateway({ space, port: 0 })
  await Promise.all([worker.start(), gateway.start()])

  await space.write(Job({ id: 'a', n: 1 }), { leaseMs: 60_000 })
  assert.equal((await space.take(Job.template({ id: 'a' }), { waitMs: 5_000 })).n, 1)

  const response = await fetch(`${gateway.url}/there?x=1`, { method: 'POST', body: 'hello' })
  assert.deepEqual([response.status, await response.text()], [200, 'POST /there?x=1 hello'])
  const large = 'x'.repeat(300_000)
  assert.equal(await (await fetch(`${gateway.url}/`, { method: 'PUT', body: large })).text(), `PUT / ${large}`)
  assert.deepEqual(await createClient({ space }).call('double', { n: 21 }, { timeoutMs: 10_000 }), { n: 42 })
  await space.close()
}

const [, , url] = process.argv
await smoke('memory:')
if (url) await smoke(url)
console.log('smoke: fine')
process.exit(0)
