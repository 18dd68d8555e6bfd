/** BullMQ: `queue.add` and `job.waitUntilFinished`, one Worker. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'BullMQ',
  server: 'redis',
  packages: ['bullmq'],
  promise: 'kept in Redis; given to another worker once its lock has expired',
  settings: 'Worker of concurrency 64 (faster than 512 at every load), removeOnComplete keeps the last 1,000 jobs',
}

export async function worker({ port }, fail) {
  const { Worker } = await import('bullmq')
  const connection = { host: '127.0.0.1', port }
  const one = new Worker('echo', async (job) => job.data, { connection, concurrency: 64 })
  one.on('error', fail)
  await one.waitUntilReady()
}

export async function client({ port }) {
  const { Queue, QueueEvents } = await import('bullmq')
  const connection = { host: '127.0.0.1', port }
  const queue = new Queue('echo', { connection })
  const events = new QueueEvents('echo', { connection })
  // Every job under way adds listeners to both.
  queue.setMaxListeners(0)
  events.setMaxListeners(0)
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
  // With `true`, a job that is removed before waitUntilFinished looks fails with "Missing key for job".
  const keep = { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } }
  return echoed(async (data) => {
    const job = await queue.add('echo', data, keep)
    return job.waitUntilFinished(events, 30_000)
  })
}
