/** Promises of later tasks: due when they are due, tried as often as was asked, and over for good then; on every engine. */
import { describe, expect, test } from '@jest/globals'
import { createClient, createScheduler, openSpace, type SchedulerOptions, type Space } from '../../src/index.js'
import { backlogOf } from '../../src/request.js'
import type { DeadLetter } from '../../src/tasks/dead-letter.js'
import { lacksScheduler } from '../../src/tasks/later.js'
import { deadLetters } from '../../src/tasks/requeue.js'
import { runSchedule, schedules } from '../../src/tasks/schedule.js'
import { createWorker, giveUp, retryIn, type Task, type TaskContext } from '../../workers/index.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'

const schedule = async (space: Space, more: Partial<SchedulerOptions> = {}) => {
  const scheduler = createScheduler({ space, stopTimeoutMs: 200, ...more })
  await scheduler.start()
  return scheduler
}

const work = async (space: Space, tasks: Record<string, Task>) => {
  const worker = createWorker({ space, tasks, stopTimeoutMs: 0 })
  await worker.start()
  return worker
}

const letters = async (space: Space): Promise<DeadLetter[]> => {
  const found: DeadLetter[] = []
  for await (const [letter] of deadLetters(space)) found.push(letter)
  return found
}

/** The scheduler has taken all that it was asked for. */
const asked = (space: Space) => until(async () => !(await lacksScheduler(space)), 'the scheduler to have been asked')

everyEngine('later', (opened) => {
  test('a task is run when it is due, not before; until then it is scheduled', async () => {
    const { space } = opened()
    const ran: { n: number; at: number }[] = []
    await work(space, { note: (n: number) => void ran.push({ n, at: Date.now() }), echo: (input) => input })
    const client = createClient({ space })
    const begun = Date.now()
    // Before a scheduler is there.
    const early = await client.enqueue('note', 1, { delayMs: 700 })
    expect(await early.status()).toEqual({ state: 'scheduled', attempt: 1 })
    await schedule(space)
    const value = { day: new Date(7), big: 12n, none: undefined }
    const at = await client.enqueue('note', 2, { at: new Date(begun + 900) })
    const exact = await client.enqueue('echo', value, { delayMs: 1 })
    await Promise.all([early.result(), at.result()])
    expect(await exact.result()).toEqual({ day: new Date(7), big: 12n })
    expect(ran.map(({ n }) => n).sort()).toEqual([1, 2])
    for (const { n, at: when } of ran) expect(when - begun).toBeGreaterThanOrEqual(n === 1 ? 700 : 899)
    expect(await early.status()).toMatchObject({ state: 'completed' })
    const past = await client.enqueue('note', 3, { at: begun - 5_000 })
    await past.result()
  })

  test('schedules are listed, run once more at an order, and ended', async () => {
    const { space } = opened()
    const ran: number[] = []
    await work(space, { note: (n: number) => void ran.push(n) })
    await schedule(space)
    const client = createClient({ space })
    const { next } = await client.schedule('yearly', { cron: '0 0 1 1 *', timeZone: 'Europe/Berlin' }, 'note', 7)
    await client.schedule('hourly', { everyMs: 3_600_000 }, 'note', 8)
    await until(() => ran.includes(8), 'the even one has begun')
    const planned = await schedules(space)
    const yearly = {
      name: 'yearly',
      task: 'note',
      service: 'web',
      times: { cron: '0 0 1 1 *', timeZone: 'Europe/Berlin' },
    }
    expect(planned.map(({ name }) => name)).toEqual(['hourly', 'yearly'])
    expect(planned[1]).toEqual({ ...yearly, next: next.getTime() })
    expect(planned[0]?.times).toEqual({ everyMs: 3_600_000 })
    expect(await runSchedule(space, 'yearly')).toBe(true)
    await until(() => ran.includes(7), 'it has run once more')
    expect((await schedules(space))[1]?.next).toBe(next.getTime())
    expect(await runSchedule(space, 'never')).toBe(false)
    await client.unschedule('hourly')
    expect((await schedules(space)).map(({ name }) => name)).toEqual(['yearly'])
  })

  test('one that waits for a scheduler says so at the end of the wait', async () => {
    const { space } = opened()
    const client = createClient({ space })
    const ticket = await client.enqueue('note', 1, { attempts: 2 })
    const pending = { code: 'TICKET_PENDING', message: expect.stringContaining('createScheduler') }
    await expect(ticket.result({ waitMs: 20 })).rejects.toMatchObject(pending)
    const late = { code: 'REQUEST_TIMEOUT', message: expect.stringContaining('createScheduler') }
    const asking = client.schedule('nightly', { cron: '0 3 * * *' }, 'note', 1, { callTimeoutMs: 20 })
    await expect(asking).rejects.toMatchObject(late)
    await schedule(space)
    await asked(space)
    const waiting = { code: 'TICKET_PENDING', message: expect.not.stringContaining('createScheduler') }
    await expect(ticket.result({ waitMs: 20 })).rejects.toMatchObject(waiting)
  })

  test('one that is cancelled is not run; if its attempt runs, its signal fires', async () => {
    const { space } = opened()
    const seen: string[] = []
    await work(space, {
      hang: (name: string, { signal }: TaskContext) => {
        seen.push(`${name} runs`)
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            seen.push(`${name} is cut`)
            reject(signal.reason)
          })
        })
      },
      after: () => 'after',
    })
    await schedule(space)
    const client = createClient({ space })
    const early = await client.enqueue('hang', 'early', { delayMs: 500 })
    const after = await client.enqueue('after', 0, { delayMs: 600 })
    await asked(space)
    expect(await early.cancel()).toBe(true)
    expect(await early.status()).toMatchObject({ state: 'cancelled' })
    const late = await client.enqueue('hang', 'late', { delayMs: 1, attempts: 3 })
    await until(() => seen.length === 1, 'it to run')
    expect(await late.status()).toMatchObject({ state: 'running', attempt: 1 })
    expect(await late.cancel()).toBe(true)
    await until(() => seen.length === 2, 'it to be cut')
    expect(await after.result()).toBe('after')
    expect(seen).toEqual(['late runs', 'late is cut'])
    await expect(late.result()).rejects.toMatchObject({ code: 'TICKET_CANCELLED' })
    expect(await letters(space)).toEqual([])
  })

  test('enqueued again under its idempotency key it is the same task, also before it is due', async () => {
    const { space } = opened()
    const ran: number[] = []
    await work(space, { note: (n: number) => void ran.push(n), other: () => {} })
    await schedule(space)
    const client = createClient({ space })
    const options = { delayMs: 100, attempts: 2, idempotencyKey: 'order-7' }
    const [first, second] = [await client.enqueue('note', 7, options), await client.enqueue('note', 7, options)]
    expect(second.id).toBe(first.id)
    await expect(client.enqueue('other', 7, options)).rejects.toMatchObject({ code: 'KEY_REUSED' })
    await second.result()
    await (await client.enqueue('note', 7, options)).result()
    expect(ran).toEqual([7])
  })

  testInOnePartition('of those that are due at once the higher priority comes first', async () => {
    const { space } = opened()
    const order: number[] = []
    await schedule(space)
    const client = createClient({ space })
    const tickets = []
    for (const priority of [0, 5, -5, 9]) {
      tickets.push(await client.enqueue('note', priority, { attempts: 2, priority }))
    }
    await until(async () => (await backlogOf(space, 'web')).count === 4, 'all to be in the space')
    const worker = createWorker({ space, tasks: { note: (n: number) => void order.push(n) }, concurrency: 1 })
    await worker.start()
    for (const ticket of tickets) await ticket.result()
    expect(order).toEqual([9, 5, 0, -5])
  })

  test('two schedulers run each task once', async () => {
    const { space, other } = opened()
    const ran: number[] = []
    await work(space, { note: (n: number) => void ran.push(n) })
    await schedule(space, { concurrency: 1 })
    await schedule(other, { concurrency: 1 })
    const client = createClient({ space: other })
    const numbers = Array.from({ length: 20 }, (_, n) => n)
    const tickets = await Promise.all(numbers.map((n) => client.enqueue('note', n, { delayMs: 50 + (n % 5) * 20 })))
    for (const ticket of tickets) await ticket.result()
    expect(ran.sort((a, b) => a - b)).toEqual(numbers)
  })
})

everyEngine('again', (opened) => {
  test('a task that fails twice and then succeeds: its attempts, its delays, its result', async () => {
    const { space } = opened()
    const at: number[] = []
    await work(space, {
      flaky: (_: unknown, { attempt }: TaskContext) => {
        at.push(Date.now())
        if (attempt < 3) throw new Error(`not yet ${attempt}`)
        return attempt
      },
    })
    await schedule(space)
    const client = createClient({ space })
    const ticket = await client.enqueue('flaky', 0, { attempts: 5, backoff: { kind: 'exponential', delayMs: 200 } })
    await until(async () => (await ticket.status()).error !== undefined, 'the first failure to be noted')
    const { state, error, dueAt } = await ticket.status()
    if (state === 'scheduled') {
      expect(error).toMatchObject({ name: 'Error', message: expect.stringMatching(/^not yet/) })
      expect(dueAt!.getTime()).toBeGreaterThan(at[0]!)
    }
    expect(await ticket.result()).toBe(3)
    expect(await ticket.status()).toEqual({ state: 'completed', attempt: 3 })
    expect(at).toHaveLength(3)
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(200)
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(400)
    expect(await letters(space)).toEqual([])
  })

  test('a task that fails for good, that gives up, or that asks for later: dead letters with attempts and the last error', async () => {
    const { space } = opened()
    const ran: string[] = []
    await work(space, {
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
    await schedule(space)
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
    expect((await letters(space)).sort((a, b) => (a.task! < b.task! ? -1 : 1))).toMatchObject([
      { task: 'bad', reason: 'failed', attempts: 2, error: { name: 'RangeError', message: 'bad 2', code: 'E_BAD' } },
      { task: 'busy', reason: 'failed', attempts: 2 },
      { task: 'never', reason: 'gave up', attempts: 1, error: { message: 'no such user' } },
    ])
    expect(await bad.status()).toMatchObject({ state: 'failed', attempt: 2, error: { code: 'E_BAD' } })
  })

  test('a worker that dies ends an attempt, and the next one follows', async () => {
    const { space, bounded } = opened()
    const seen: number[] = []
    const tasks = {
      kill: (_: unknown, { attempt }: TaskContext) => {
        seen.push(attempt)
        return attempt === 3 ? 'alive' : new Promise(() => {})
      },
    }
    await schedule(space)
    const ticket = await createClient({ space }).enqueue('kill', 0, { attempts: 3 })
    for (let attempt = 1; attempt < 3; attempt++) {
      const other = await bounded({})
      await work(other, tasks)
      await until(() => seen.length === attempt, 'the task to run')
      await space.declareDead(other.presence)
      await other.close()
    }
    await work(space, tasks)
    expect(await ticket.result()).toBe('alive')
    expect(seen).toEqual([1, 2, 3])
  })

  test('progress is seen on the ticket', async () => {
    const { space } = opened()
    let go = (): void => {}
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    await work(space, {
      long: async (_: unknown, { progress }: TaskContext) => {
        await progress(40)
        await gone
      },
    })
    await schedule(space)
    const ticket = await createClient({ space }).enqueue('long', 0, { attempts: 2 })
    await until(async () => (await ticket.status()).progress === 40, 'progress on the ticket')
    go()
    await ticket.result()
  })
})

everyEngine('schedules', (opened) => {
  test('a task is run at each firing, until it is unscheduled', async () => {
    const { space } = opened()
    const ran: string[] = []
    await work(space, { tick: (name: string) => void ran.push(name) })
    await schedule(space)
    const client = createClient({ space })
    const before = Date.now()
    const { next } = await client.schedule(
      'seconds',
      { cron: '* * * * * *', timeZone: 'Europe/Berlin' },
      'tick',
      'cron',
    )
    expect(next.getTime()).toBeGreaterThanOrEqual(before)
    expect(next.getTime()).toBeLessThanOrEqual(Date.now() + 1_000)
    await client.schedule('often', { everyMs: 300 }, 'tick', 'every')
    await until(() => ran.filter((name) => name === 'cron').length >= 2, 'two firings')
    await until(() => ran.filter((name) => name === 'every').length >= 3, 'three firings')
    expect(await client.unschedule('seconds')).toBe(true)
    expect(await client.unschedule('often')).toBe(true)
    expect(await client.unschedule('often')).toBe(false)
    const yearly = await client.schedule('yearly', { cron: '0 3 1 1 *', timeZone: 'Asia/Tokyo' }, 'tick', 0)
    expect(yearly.next.toISOString()).toMatch(/-12-31T18:00:00/)
  })

  test('firings that were missed are done once, late, also if the schedule is declared again before that', async () => {
    const { space } = opened()
    const ran: number[] = []
    const first = await schedule(space)
    const client = createClient({ space })
    const seconds = { cron: '* * * * * *' }
    const { next } = await client.schedule('seconds', seconds, 'tick', 1)
    await first.stop()
    await until(() => Date.now() > next.getTime() + 1_000, 'two firings to be due')
    await schedule(space)
    await client.schedule('seconds', seconds, 'tick', 1)
    await client.schedule('seconds', seconds, 'tick', 1)
    const due = Math.floor((Date.now() - next.getTime()) / 1_000) + 1
    await work(space, { tick: () => void ran.push(Date.now()) })
    await until(() => ran.length >= due, 'all that were due to be done')
    expect(await client.unschedule('seconds')).toBe(true)
    expect(ran.length).toBeLessThanOrEqual(Math.floor((Date.now() - next.getTime()) / 1_000) + 1)
  })

  test('one that is declared again with other times goes by these, and with another task runs that', async () => {
    const { space } = opened()
    const ran: string[] = []
    await work(space, { tick: (name: string) => void ran.push(name) })
    await schedule(space)
    const client = createClient({ space })
    await client.schedule('report', { cron: '0 3 1 1 *' }, 'tick', 'yearly')
    await client.schedule('report', { everyMs: 50 }, 'tick', 'often')
    await until(() => ran.length >= 2, 'two firings')
    await client.schedule('report', { everyMs: 50 }, 'tick', 'again')
    await until(() => ran.includes('again'), 'a firing with the new input')
    expect(await client.unschedule('report')).toBe(true)
    expect(ran).not.toContain('yearly')
  })
})

describe('a wrong schedule', () => {
  test.each([
    [{ cron: 'never' }, 'cron is "never"'],
    [{ cron: '61 * * * *' }, 'cron is "61 * * * *"'],
    [{ cron: '' }, 'cron is ""'],
    [{ cron: '* * *' }, 'cron is "* * *"'],
    [{ cron: '0 0 30 2 *' }, 'cron is "0 0 30 2 *"'],
    [{ cron: '* * * * *', timeZone: 'Nowhere/Here' }, 'timeZone is "Nowhere/Here"'],
    [{ everyMs: 0 }, 'everyMs'],
  ])('%j is refused at once, without a scheduler', async (times, named) => {
    await using space = await openSpace('memory:')
    const asking = createClient({ space }).schedule('bad', times, 'tick', 0)
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining(named) }
    await expect(asking).rejects.toMatchObject(refused)
  })
})

describe('createScheduler', () => {
  test.each([
    [{ space: {} }, 'space'],
    [{ fromQueues: 'emails' }, 'fromQueues'],
    [{ fromQueues: ['a:b'] }, 'fromQueues'],
    [{ fromQueues: ['emails'] }, 'Redis'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ fromQueue: ['a'] }, 'fromQueue'],
    [{ url: 7 }, 'url'],
  ])('refuses %j', async (options, named) => {
    await using space = await openSpace('memory:')
    expect(() => createScheduler({ space, ...options } as SchedulerOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(named) }),
    )
  })
})
