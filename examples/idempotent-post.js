/** An Idempotency-Key: a POST that is sent twice runs for the first one, and both get the same answer. Run it: node examples/idempotent-post.js */
import { openSpace } from 'takespace'
import { createGateway } from 'takespace/gateway'
import { createWorker } from 'takespace/workers'

let payments = 0
const app = async (req, res) => {
  let body = ''
  for await (const chunk of req) body += chunk
  res.statusCode = 201
  res.end(`payment ${++payments}: ${body}`)
}

const space = await openSpace('memory:')
const gateway = createGateway({ space, port: 0 })
await createWorker({ space, app }).start()
await gateway.start()

const pay = async (key, body) => {
  const headers = { 'idempotency-key': key, connection: 'close' }
  const response = await fetch(`${gateway.url}/payments`, { method: 'POST', headers, body })
  console.log(response.status, response.ok ? await response.text() : (await response.json()).code)
}

await pay('"order-1"', '12 euro')
await pay('"order-1"', '12 euro') // for example after a timeout: the stored answer, the app is not asked
await pay('"order-1"', '99 euro') // the same key for another request is refused
await pay('"order-2"', '30 euro')

await space.close()

/* Output:
201 payment 1: 12 euro
201 payment 1: 12 euro
422 KEY_REUSED
201 payment 2: 30 euro
*/
