/** Testing an app: requests through the space without a socket, with what a worker does to them. Run it: node examples/testing.js */
import assert from 'node:assert/strict'
import { createClient, openSpace } from 'takespace'
import { createWorker, currentRequest } from 'takespace/workers'

const app = (req, res) => {
  const { attempt } = currentRequest()
  if (req.url === '/crash') throw new Error('a bug')
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify({ method: req.method, url: req.url, attempt }))
}

const check = async (what, run) => {
  await run()
  console.log('ok', what)
}

const space = await openSpace('memory:')
await createWorker({ space, app }).start()
const client = createClient({ space })

await check('the app answers', async () => {
  const response = await client.fetch('/orders?open=1', { method: 'POST', body: 'text' })
  assert.deepEqual(await response.json(), { method: 'POST', url: '/orders?open=1', attempt: 1 })
})
await check('an error of the app is a 500 for its own client', async () => {
  assert.equal((await client.fetch('/crash')).status, 500)
  assert.equal((await client.fetch('/')).status, 200)
})
await check('a request that nobody takes ends at its deadline', async () => {
  const asked = client.fetch('/', { service: 'nobody', timeoutMs: 50 })
  await assert.rejects(asked, { code: 'REQUEST_TIMEOUT' })
})

await space.close()

/* Output:
ok the app answers
ok an error of the app is a 500 for its own client
ok a request that nobody takes ends at its deadline
*/
