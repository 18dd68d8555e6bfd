/** Server-sent events: a worker's open response gets what any program writes into the space. Run it: node examples/server-sent-events.js */
import { defineEntry, openSpace } from 'takespace'
import { createGateway } from 'takespace/gateway'
import { createWorker } from 'takespace/workers'

const News = defineEntry('News')
const space = await openSpace('memory:')

/** Each client has its own registration; it ends with the connection. */
const app = async (req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const registration = await space.notify([News], ({ entry }) => res.write(`data: ${entry.text}\n\n`))
  res.write(': listening\n\n')
  req.on('close', () => void registration.cancel().catch(() => {}))
}

const gateway = createGateway({ space, port: 0 })
await createWorker({ space, app }).start()
await gateway.start()

const client = new AbortController()
const response = await fetch(gateway.url, { signal: client.signal })
let heard = ''
for await (const chunk of response.body) {
  heard += Buffer.from(chunk).toString()
  if (heard.includes('data:')) break
  await space.write(News({ text: 'a worker was added' }), { leaseMs: 5_000 })
}
console.log(response.headers.get('content-type'))
console.log(heard.trim().split('\n\n').join('\n'))

client.abort()
await space.close()

/* Output:
text/event-stream
: listening
data: a worker was added
*/
