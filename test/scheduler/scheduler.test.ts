/** What is promised of later tasks: due when they are due, tried as often as was asked, and over for good then; with BullMQ's own queues, too. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Queue, QueueEvents } from 'bullmq'
import { deadLetterOf } from '../../src/dead-letter.js'
import { DEAD_LETTER } from '../../src/engine.js'
import { createClient, createScheduler, openSpace, type SchedulerOptions, type Space } from '../../src/index.js'
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

const work = async (tasks: Record<string, Task>, where = space) => {
  const worker = createWorker({ space: where, tasks, stopTimeoutMs: 0 })
  await worker.start()
  return worker
}

const queueOf = (name: string): Queue => {
  const queue = new Queue(name, { connection: { port: redis.port } })
  closing.push(() => queue.close())
  return queue
}

const letters = async () => {
  const pattern = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
  return (await space.engine.list(pattern, null, 50)).entries.map(deadLetterOf)
}

describe('later', () => {
  test('a task is run when it is due, not before; until then it is scheduled', async () => {
    const ran: { n: number; at: number }[] = []
    await work({ note: (n: number) => void ran.push({ n, at: Date.now() }) })
    const client = createClient({ space })
    const begun = Date.now()
    // Before a scheduler is there.
    const early = await client.enqueue('note', 1, { delayMs: 700 })
    expect(await early.status()).toEqual({ state: 'scheduled', attempt: 1 })
    await schedule()
    const value = { day: new Date(7), big: 12n, none: undefined }
    const at = await client.enqueue('note', 2, { at: new Date(begun + 900) })
    await work({ echo: (input) => input })
    const exact = await client.enqueue('echo', value, { delayMs: 1 })
    await Promise.all([early.result(), at.result()])
    expect(await exact.result()).toEqual({ day: new Date(7), big: 12n })
    expect(ran.map(({ n }) => n).sort()).toEqual([1, 2])
    for (const { n, at: when } of ran) expect(when - begun).toBeGreaterThanOrEqual(n === 1 ? 700 : 899)
    expect(await early.status()).toMatchObject({ state: 'completed' })
    const past = await client.enqueue('note', 3, { at: begun - 5_000 })
    await past.result()
  })

  test('one that is cancelled is not run; if its attempt runs, its signal fires', async () => {
    const seen: string[] = []
    await work({
      hang: (name: string, { signal }: TaskContext) => {
        seen.push(`${name} runs`)
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            seen.push(`${name} is cut`)
            reject(signal.reason)
          })
        })
      },
    })
    await schedule()
    const client = createClient({ space })
    const early = await client.enqueue('hang', 'early', { delayMs: 500 })
    const queue = queueOf(`takespace.${encodeURIComponent(space.name)}`)
    await until(async () => (await queue.getDelayedCount()) === 1, 'the job to be delayed')
    expect(await early.cancel()).toBe(true)
    const late = await client.enqueue('hang', 'late', { delayMs: 1, attempts: 3 })
    await until(() => seen.length === 1, 'it to run')
    expect(await late.status()).toMatchObject({ state: 'running', attempt: 1 })
    expect(await late.cancel()).toBe(true)
    await until(() => seen.length === 2, 'it to be cut')
    await until(async () => (await queue.getCompletedCount()) === 2, 'both jobs to be over')
    expect(seen).toEqual(['late runs', 'late is cut'])
    await expect(late.result()).rejects.toMatchObject({ code: 'TICKET_CANCELLED' })
    expect(await letters()).toEqual([])
  })
})

describe('again', () => {
  test('a task that fails twice and then succeeds: its attempts, its delays, its result', async () => {
    const at: number[] = []
    await work({
      flaky: (_: unknown, { attempt }: TaskContext) => {
        at.push(Date.now())
        if (attempt < 3) throw new Error(`not yet ${attempt}`)
        return attempt
      },
    })
    await schedule()
    const client = createClient({ space })
    const ticket = await client.enqueue('flaky', 0, { attempts: 5, backoff: { kind: 'exponential', delayMs: 200 } })
    await until(async () => (await ticket.status()).error !== undefined, 'the first failure to be noted')
    expect(await ticket.result()).toBe(3)
    expect(await ticket.status()).toEqual({ state: 'completed', attempt: 3 })
    expect(at).toHaveLength(3)
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(200)
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(400)
    expect(await letters()).toEqual([])
  })

  test('a task that fails for good, that gives up, or that asks for later: dead letters with attempts and the last error', async () => {
    const ran: string[] = []
    await work({
      bad: (_: unknown, { attempt }: TaskContext) => {
        ran.push(`bad ${attempt}`)
        throw Object.assign(new RangeError(`bad ${attempt}`), { code: 'E_BAD' })
      },
      never: () => {
        ran.push('never')
        return giveUp('no such user')
      },
      busy: (_: unknown, { attempt }: TaskContext) => {
        ran.push(`busy ${attempt}`)
        return retryIn(50)
      },
    })
    await schedule()
    const client = createClient({ space })
    const backoff = { kind: 'fixed', delayMs: 60_000 } as const
    const bad = await client.enqueue('bad', { width: 1 }, { attempts: 2 })
    const never = await client.enqueue('never', 0, { attempts: 5, backoff })
    const busy = await client.enqueue('busy', 0, { attempts: 2, backoff })
    const failed = (message: string) => ({ code: 'TASK_FAILED', cause: { message } })
    await expect(bad.result()).rejects.toMatchObject(failed('bad 2'))
    await expect(never.result()).rejects.toMatchObject(failed('no such user'))
    await expect(busy.result()).rejects.toMatchObject(failed('It asked to be tried again in 50 ms.'))
    expect(ran.sort()).toEqual(['bad 1', 'bad 2', 'busy 1', 'busy 2', 'never'])
    expect((await letters()).sort((a, b) => (a.task! < b.task! ? -1 : 1))).toMatchObject([
      { task: 'bad', reason: 'failed', attempts: 2, error: { name: 'RangeError', message: 'bad 2', code: 'E_BAD' } },
      { task: 'busy', reason: 'failed', attempts: 2 },
      { task: 'never', reason: 'gave up', attempts: 1, error: { message: 'no such user' } },
    ])
    expect(await bad.status()).toMatchObject({ state: 'failed', attempt: 2, error: { code: 'E_BAD' } })
    const queue = queueOf(`takespace.${encodeURIComponent(space.name)}`)
    await until(async () => (await queue.getFailedCount()) === 3, 'the jobs to be failed')
  })

  test('a worker that dies ends an attempt, and the next one follows', async () => {
    const seen: number[] = []
    const tasks = {
      kill: (_: unknown, { attempt }: TaskContext) => {
        seen.push(attempt)
        return attempt === 3 ? 'alive' : new Promise(() => {})
      },
    }
    await schedule()
    const ticket = await createClient({ space }).enqueue('kill', 0, { attempts: 3 })
    for (let attempt = 1; attempt < 3; attempt++) {
      const other = await openSpace(redis.url, { name: space.name })
      await work(tasks, other)
      await until(() => seen.length === attempt, 'the task to run')
      await space.declareDead(other.session)
      await other.close()
    }
    await work(tasks)
    expect(await ticket.result()).toBe('alive')
    expect(seen).toEqual([1, 2, 3])
  })

  test('progress is seen on the ticket and on the job', async () => {
    let go = (): void => {}
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    await work({
      long: async (_: unknown, { progress }: TaskContext) => {
        await progress(40)
        await gone
      },
    })
    await schedule()
    const ticket = await createClient({ space }).enqueue('long', 0, { attempts: 2 })
    await until(async () => (await ticket.status()).progress === 40, 'progress on the ticket')
    const queue = queueOf(`takespace.${encodeURIComponent(space.name)}`)
    await until(async () => (await queue.getJob(ticket.id))?.progress === 40, 'progress on the job')
    go()
    await ticket.result()
  })
})

describe('schedules', () => {
  test('a task is run at each firing, until it is unscheduled; a wrong one is refused', async () => {
    const ran: string[] = []
    await work({ tick: (name: string) => void ran.push(name) })
    await schedule()
    const client = createClient({ space })
    const { next } = await client.schedule(
      'seconds',
      { cron: '* * * * * *', timeZone: 'Europe/Berlin' },
      'tick',
      'cron',
    )
    expect(Math.abs(next.getTime() - Date.now())).toBeLessThan(3_000)
    await client.schedule('often', { everyMs: 300 }, 'tick', 'every')
    await until(() => ran.filter((name) => name === 'cron').length >= 2, 'two firings')
    await until(() => ran.filter((name) => name === 'every').length >= 3, 'three firings')
    expect(await client.unschedule('seconds')).toBe(true)
    expect(await client.unschedule('often')).toBe(true)
    expect(await client.unschedule('often')).toBe(false)
    for (const times of [{ cron: 'never' }, { cron: '61 * * * *' }, { cron: '* * * * *', timeZone: 'Nowhere/Here' }]) {
      await expect(client.schedule('bad', times, 'tick', 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    const yearly = await client.schedule('yearly', { cron: '0 3 1 1 *', timeZone: 'Asia/Tokyo' }, 'tick', 0)
    expect(yearly.next.toISOString()).toMatch(/-12-31T18:00:00/)
  })
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
    // Of these BullMQ keeps the failures.
    expect(await letters()).toEqual([])
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

describe('createScheduler', () => {
  test.each([
    [{ space: {} }, 'space'],
    [{ fromQueues: 'emails' }, 'fromQueues'],
    [{ fromQueues: ['a:b'] }, 'fromQueues'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ fromQueue: ['a'] }, 'fromQueue'],
  ])('refuses %j', (options, named) => {
    expect(() => createScheduler({ space, ...options } as SchedulerOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(named) }),
    )
  })

  test('a space in memory has no Redis to keep what is later', async () => {
    const memory = await openSpace('memory:')
    closing.push(() => memory.close())
    expect(() => createScheduler({ space: memory })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

failOnLeaks()
