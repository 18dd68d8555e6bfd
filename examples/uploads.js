/** Uploads: a large body is streamed to the worker, which reads it piece by piece. Run it: node examples/uploads.js */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { openSpace } from 'takespace'
import { createGateway } from 'takespace/gateway'
import { createWorker } from 'takespace/workers'

/** An ordinary handler. Nothing of the body is kept: memory does not depend on its size. */
const app = async (req, res) => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of req) {
    bytes += chunk.length
    hash.update(chunk)
  }
  res.end(JSON.stringify({ bytes, sha256: hash.digest('hex').slice(0, 8) }))
}

const space = await openSpace('memory:')
// 1 MB is the default.
const gateway = createGateway({ space, port: 0, limits: { bodyBytes: 50_000_000 } })
await createWorker({ space, app }).start()
await gateway.start()

const MEGABYTE = Buffer.alloc(1_000_000, 'x')
async function* file(megabytes) {
  for (let i = 0; i < megabytes; i++) yield MEGABYTE
}

for (const megabytes of [1, 20, 60]) {
  const body = Readable.toWeb(Readable.from(file(megabytes)))
  const headers = { 'Content-Length': String(megabytes * MEGABYTE.length), connection: 'close' }
  const response = await fetch(gateway.url, { method: 'PUT', body, headers, duplex: 'half' }).catch(() => undefined)
  console.log(`${megabytes} MB:`, response?.status ?? 'refused', response?.ok ? await response.text() : '')
}

await space.close()

/* Output:
1 MB: 200 {"bytes":1000000,"sha256":"1b977e9f"}
20 MB: 200 {"bytes":20000000,"sha256":"bc01a03f"}
60 MB: 413 
*/
