/** @platformatic/job-queue: `enqueueAndWait` over its Redis storage. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: '@platformatic/job-queue',
  server: 'redis',
  packages: ['@platformatic/job-queue'],
  promise: 'kept in Redis; a reaper gives a stalled job to another worker',
  settings: 'concurrency 64, results kept for 10 s (1 h by default)',
}

/** The package is for Node.js 22 and later; this is all that it lacks on 20. */
Promise.withResolvers ??= () => {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

const queueOf = async (url, more) => {
  const { Queue, RedisStorage } = await import('@platformatic/job-queue')
  return new Queue({ storage: new RedisStorage({ url }), resultTTL: 10_000, ...more })
}

export async function worker({ url }, fail) {
  const queue = await queueOf(url, { concurrency: 64 })
  queue.on('error', fail)
  queue.execute(async ({ payload }) => payload)
  await queue.start()
}

export async function client({ url }) {
  const queue = await queueOf(url)
  await queue.start()
  let count = 0
  return echoed((data) => queue.enqueueAndWait(`j${++count}`, data, { timeout: 30_000 }))
}
