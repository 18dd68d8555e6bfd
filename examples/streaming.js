/** Server-sent events: a response that is streamed from a worker through the gateway as it is written. Run it: node examples/streaming.js */
import { once } from 'node:events'
import { openSpace } from 'takespace'
import { createGateway } from 'takespace/gateway'
import { createWorker } from 'takespace/workers'

const app = async (_req, res) => {
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let n = 1; n <= 3; n++) res.write(`data: event ${n}\n\n`)
  // The client ends the stream by going away: for the app, its response is closed.
  await once(res, 'close')
  console.log('the app sees that its client has gone')
}

const space = await openSpace('memory:')
const gateway = createGateway({ space, port: 0 })
const worker = createWorker({ space, app })
await worker.start()
await gateway.start()

const away = new AbortController()
const response = await fetch(gateway.url, { signal: away.signal })
console.log(response.status, response.headers.get('content-type'))

let text = ''
for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
  text += chunk
  if (text.includes('event 3')) break
}
console.log(text.trim().split('\n\n'))
away.abort()

await worker.stop()
await space.close()

/* Output:
200 text/event-stream
[ 'data: event 1', 'data: event 2', 'data: event 3' ]
the app sees that its client has gone
*/
