/** BullMQ's own producer API against `takespace scheduler --from-queue`: results, failures and progress of many jobs, with real processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Queue, QueueEvents } from 'bullmq'
import { report } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const JOBS = 1_000
const TASKS = fileURLToPath(new URL('../faults/children/tasks.js', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'takespace-from-queue-'))
let redis: Redis
const processes: Process[] = []
beforeAll(async () => {
  redis = await startRedis()
  writeFileSync(join(folder, 'runs'), '')
  const env = { TAKESPACE_URL: redis.url, LEDGER: join(folder, 'runs') }
  for (const [command, ready] of [
    [['worker', TASKS, '--processes', '2', '--service', 'mail'], /a worker process is ready/],
    [['scheduler', '--from-queue', 'emails', '--service', 'mail'], /"msg":"ready"/],
  ] as const) {
    const process = startProcess(['takespace', ...command], { env })
    processes.push(process)
    await process.line(ready)
  }
})
afterAll(async () => {
  for (const process of processes) process.kill()
  await Promise.all(processes.map(({ exited }) => exited))
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

test(`${JOBS} jobs of a BullMQ producer are done by task workers: its results, failures and progress events as before`, async () => {
  const connection = { host: '127.0.0.1', port: redis.port }
  const queue = new Queue('emails', { connection })
  // From the first on: by default it hears those from when its own reading happens to begin.
  const events = new QueueEvents('emails', { connection, lastEventId: '0' })
  await events.waitUntilReady()
  const told = { completed: 0, failed: 0, progress: new Map<string, unknown>() }
  events.on('completed', () => told.completed++)
  events.on('failed', () => told.failed++)
  events.on('progress', ({ jobId, data }) => told.progress.set(jobId, data))
  try {
    const begun = performance.now()
    const options = { attempts: 2, backoff: { type: 'fixed', delay: 100 } }
    const jobs = await queue.addBulk(
      Array.from({ length: JOBS }, (_, n) => ({
        name: 'mail',
        data: { n: n + 1, to: `user${n}@example.org` },
        opts: options,
      })),
    )
    await until(() => told.completed + told.failed === JOBS, 'all jobs to be finished')
    const took = performance.now() - begun
    const finished = await Promise.all(jobs.map(({ id }) => queue.getJob(id!)))
    const completed = finished.filter((job) => job!.finishedOn && job!.returnvalue?.delivered === job!.data.n)
    const failed = finished.filter((job) => job!.failedReason === `mailbox ${job!.data.n} is full`)
    expect([completed.length, failed.length]).toEqual([JOBS * 0.9, JOBS * 0.1])
    expect(completed.every((job) => job!.attemptsMade === 1)).toBe(true)
    expect(failed.every((job) => job!.attemptsMade === 2 && job!.data.n % 10 === 0)).toBe(true)
    expect([told.completed, told.failed]).toEqual([JOBS * 0.9, JOBS * 0.1])
    await until(() => told.progress.size === JOBS, 'a progress event of each job')
    for (const job of finished) {
      expect(told.progress.get(job!.id!)).toEqual({ sent: job!.data.n })
      expect(job!.progress).toEqual({ sent: job!.data.n })
    }
    for (const process of processes) expect(process.output()).not.toContain('Warning')
    report(`${JOBS} jobs of a BullMQ producer`, {
      completed: completed.length,
      failed: failed.length,
      'progress events': told.progress.size,
      'jobs a second': Math.round((JOBS / took) * 1_000),
    })
  } finally {
    await events.close()
    await queue.close()
  }
})

failOnLeaks()
