// A worker whose handlers never end: it says when one begins and when its signal fires. Arguments: url, service.
import { openSpace } from '../../../dist/src/index.js'
import { createWorker, currentRequest } from '../../../dist/workers/index.js'

const [url, service] = process.argv.slice(2)
const space = await openSpace(url)
const app = (req) => {
  console.log(`began ${req.url}`)
  currentRequest().signal.addEventListener('abort', () => console.log(`signal ${req.url}`))
}
await createWorker({ space, app, service, stopTimeoutMs: 0 }).start()
process.on('SIGTERM', () => space.close())
console.log('ready')
