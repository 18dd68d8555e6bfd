/** Adds jobs to a BullMQ queue and waits until each is finished. */
import { Queue, QueueEvents } from 'bullmq'
import { closedLoop, payload } from './loop.mjs'
import { options } from './parent.mjs'

const connection = { host: '127.0.0.1', port: options.port }
const queue = new Queue('echo', { connection })
const events = new QueueEvents('echo', { connection })
// Every job under way adds listeners to both.
queue.setMaxListeners(0)
events.setMaxListeners(0)
await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])

// With removeOnComplete: true, a job that is finished before waitUntilFinished has looked at it fails there with "Missing key for job".
// At this rate that is several in a thousand; keeping the last thousand ends it and is no slower.
const keep = { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } }

await closedLoop(async () => {
  const text = payload()
  const job = await queue.add('echo', { text }, keep)
  const result = await job.waitUntilFinished(events, 30_000)
  if (result.text !== text) throw new Error('the result is not the echo of its job')
})
