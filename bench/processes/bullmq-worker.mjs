/** Works on the jobs of a BullMQ queue: returns what each was given. */
import { Worker } from 'bullmq'
import { begin, options, tell } from './parent.mjs'

const { port, concurrency } = options
const worker = new Worker('echo', async (job) => job.data, { connection: { host: '127.0.0.1', port }, concurrency })
worker.on('error', (error) => tell('failed', { why: error.message }))
await worker.waitUntilReady()
await begin()
