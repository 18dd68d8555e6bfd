/** bee-queue: a job a request, its result by the event `job succeeded` of the queue. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'bee-queue',
  server: 'redis',
  packages: ['bee-queue'],
  promise: 'kept in Redis; a stalled job is given to another worker; the event with the result can be lost (pub/sub)',
  settings: 'process(64), removeOnSuccess, ids set beforehand: an event that comes before its job is saved is lost',
}

const queueOf = async (port, more) => {
  const { default: Queue } = await import('bee-queue')
  const queue = new Queue('echo', { redis: { host: '127.0.0.1', port }, removeOnSuccess: true, ...more })
  await queue.ready()
  return queue
}

export async function worker({ port }, fail) {
  const queue = await queueOf(port, { getEvents: false })
  queue.on('error', fail)
  queue.process(64, async (job) => job.data)
}

export async function client({ port }, fail) {
  const queue = await queueOf(port, { isWorker: false, storeJobs: false })
  const waiting = new Map()
  queue.on('error', fail)
  queue.on('job succeeded', (id, result) => {
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  let count = 0
  return echoed(
    (data) =>
      new Promise((resolve, reject) => {
        const id = `r${++count}`
        waiting.set(id, resolve)
        queue.createJob(data).setId(id).save().catch(reject)
      }),
  )
}
