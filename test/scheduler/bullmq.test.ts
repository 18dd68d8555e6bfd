/** Promises of BullMQ's own queues: its tools show later tasks, and the jobs of its producers are done by task workers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Queue, QueueEvents } from 'bullmq'
import { createClient, createScheduler, openSpace, type SchedulerOptions, type Space } from '../../src/index.js'
import { deadLetters } from '../../src/tasks/requeue.js'
import { createWorker, giveUp, retryIn, type Task, type TaskContext } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

let redis: Redis
let space: Space
let spaces = 0
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  space = await openSpace(redis.url, { name: `later {${++spaces}}` })
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await space.close()
})
afterAll(() => redis.stop())

const schedule = async (more: Partial<SchedulerOptions> = {}) => {
  const scheduler = createScheduler({ space, stopTimeoutMs: 200, ...more })
  await scheduler.start()
  return scheduler
}

const work = (tasks: Record<string, Task>) => createWorker({ space, tasks, stopTimeoutMs: 0 }).start()

const queueOf = (name: string): Queue => {
  const queue = new Queue(name, { connection: { port: redis.port } })
  closing.push(() => queue.close())
  return queue
}

test('later tasks stand in a queue of BullMQ: delayed, with their progress, and how they ended', async () => {
  let go = (): void => {}
  const gone = new Promise<void>((resolve) => {
    go = resolve
  })
  await work({
    long: async (_: unknown, { progress }: TaskContext) => {
      await progress(40)
      await gone
    },
    bad: () => giveUp('no such user'),
  })
  await schedule()
  const queue = queueOf(`takespace.${encodeURIComponent(space.name)}`)
  const client = createClient({ space })
  const delayed = await client.enqueue('long', 0, { delayMs: 60_000 })
  await until(async () => (await queue.getDelayedCount()) === 1, 'the job to be delayed')
  const long = await client.enqueue('long', 0, { attempts: 2 })
  await until(async () => (await queue.getJob(long.id))?.progress === 40, 'progress on the job')
  go()
  await client.enqueue('bad', 0, { attempts: 2 })
  await until(async () => (await queue.getCompletedCount()) === 1, 'the job to be completed')
  await until(async () => (await queue.getFailedCount()) === 1, 'the job to be failed')
  await delayed.cancel()
})

test('in the nights when clocks change a schedule that is declared again, or whose job is late, goes by our firings', async () => {
  const daily = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }
  const ran: unknown[] = []
  await work({ tick: (input) => void ran.push(input) })
  const client = createClient({ space })
  const now = jest.spyOn(Date, 'now')
  try {
    now.mockReturnValue(Date.parse('2026-10-25T00:29:55Z'))
    const first = await schedule()
    const declared = await client.schedule('nightly', daily, 'tick', 1)
    expect(declared.next.toISOString()).toBe('2026-10-25T00:30:00.000Z')
    now.mockReturnValue(Date.parse('2026-10-25T01:29:55Z'))
    const again = await client.schedule('nightly', daily, 'tick', 1)
    expect(again.next.toISOString()).toBe('2026-10-26T01:30:00.000Z')
    await until(() => ran.length === 1, 'the firing that was missed to be done')
    // BullMQ asks for the firing after one that it has handed out, too.
    now.mockReturnValue(Date.parse('2026-03-29T00:59:50Z'))
    const spring = await client.schedule('spring', { ...daily, cron: '*/20 2 * * *' }, 'tick', 2)
    expect(spring.next.toISOString()).toBe('2026-03-29T01:00:00.000Z')
    await first.stop()
    now.mockReturnValue(Date.parse('2026-03-29T01:00:01Z'))
    await schedule()
    await until(() => ran.includes(2), 'the firing to be done')
    const queue = queueOf(`takespace.${encodeURIComponent(space.name)}`)
    const next = async () => new Date((await queue.getJobScheduler('spring'))!.next!).toISOString()
    await until(async () => (await next()) === '2026-03-29T01:20:00.000Z', 'the next firing to be planned')
  } finally {
    now.mockRestore()
  }
})

describe('from a queue', () => {
  test("a BullMQ producer's jobs are done by task workers; results, failures and progress are on the jobs", async () => {
    const inputs: unknown[] = []
    await work({
      welcome: async (input: { to: string }, { progress }: TaskContext) => {
        inputs.push(input)
        await progress({ sent: 1 })
        return { sent: input.to }
      },
      bounce: () => {
        throw new TypeError('no such mailbox')
      },
      later: (_: unknown, { attempt }: TaskContext) => (attempt === 1 ? retryIn(10) : attempt),
      never: () => giveUp('unsubscribed'),
    })
    await schedule({ fromQueues: ['emails'] })
    const queue = queueOf('emails')
    const events = new QueueEvents('emails', { connection: { port: redis.port }, lastEventId: '0' })
    closing.push(() => events.close())
    await events.waitUntilReady()
    const progress: unknown[] = []
    events.on('progress', ({ data }) => progress.push(data))
    const keep = { removeOnComplete: { count: 100 }, removeOnFail: { count: 100 } }
    const welcome = await queue.add('welcome', { to: 'ada' }, keep)
    expect(await welcome.waitUntilFinished(events, 10_000)).toEqual({ sent: 'ada' })
    expect(inputs).toEqual([{ to: 'ada' }])
    await until(() => progress.length > 0, 'a progress event')
    expect(progress).toEqual([{ sent: 1 }])
    const bounce = await queue.add('bounce', {}, { ...keep, attempts: 2, backoff: { type: 'fixed', delay: 20 } })
    await expect(bounce.waitUntilFinished(events, 10_000)).rejects.toThrow('no such mailbox')
    expect(await queue.getJob(bounce.id!)).toMatchObject({ failedReason: 'no such mailbox', attemptsMade: 2 })
    const later = await queue.add('later', {}, { ...keep, attempts: 2, backoff: { type: 'theirs', delay: 60_000 } })
    expect(await later.waitUntilFinished(events, 10_000)).toBe(2)
    const never = await queue.add('never', {}, { ...keep, attempts: 9 })
    await expect(never.waitUntilFinished(events, 10_000)).rejects.toThrow('unsubscribed')
    expect((await queue.getJob(never.id!))!.attemptsMade).toBe(1)
    // BullMQ keeps the failures of these.
    for await (const [letter] of deadLetters(space)) expect(letter).toBeUndefined()
  })

  test('their priorities count the other way', async () => {
    const order: number[] = []
    const queue = queueOf('prioritised')
    const priorities = [5, 1, 300, 0, 2]
    for (const priority of priorities) await queue.add('job', priority, { priority })
    await schedule({ fromQueues: ['prioritised'] })
    const waiting = { kind: 'takespace.Task', root: 'takespace.Task', indexed: [], verified: [] }
    await until(async () => (await space.engine.backlog(waiting)).count === 5, 'all to be in the space')
    const worker = createWorker({ space, tasks: { job: (priority) => void order.push(priority) }, concurrency: 1 })
    await worker.start()
    await until(() => order.length === 5, 'all to be done')
    expect(order).toEqual([0, 1, 2, 5, 300])
  })
})

failOnLeaks()
