/** A worker of one task that returns its input: `node echo-worker.mjs URL CONCURRENCY [DURABILITY]`. */
import { openSpace } from '../../dist/src/index.js'
import { createWorker } from '../../dist/workers/index.js'

const [url, concurrency, durability] = process.argv.slice(2)
const space = await openSpace(url, { durability })
await createWorker({ space, tasks: { echo: async (input) => input }, concurrency: Number(concurrency) }).start()
console.log('ready')
