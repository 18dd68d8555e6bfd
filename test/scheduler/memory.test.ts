/** Promises of later tasks in memory alone: a scheduler's successor, and time of any length, which fake timers make pass. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createClient, createScheduler, defineEntry, openSpace, type Space } from '../../src/index.js'
import { createWorker, type TaskContext } from '../../workers/index.js'
import { until } from '../support/until.js'

let space: Space
beforeEach(async () => {
  space = await openSpace('memory:')
})
afterEach(async () => {
  await space.close()
  jest.useRealTimers()
})

const DAY_MS = 86_400_000

const ticks = async (): Promise<number[]> => {
  const ran: number[] = []
  await createWorker({ space, tasks: { tick: () => void ran.push(Date.now()) } }).start()
  return ran
}

test('a scheduler that stops leaves its tasks to the next one; an attempt that runs is not run again', async () => {
  const runs: string[] = []
  let go = (): void => {}
  const gone = new Promise<void>((resolve) => {
    go = resolve
  })
  const tasks = {
    long: async (_: unknown, { attempt }: TaskContext) => {
      runs.push(`long ${attempt}`)
      await gone
      return 'long'
    },
    note: (n: number) => {
      runs.push(`note ${n}`)
      return n
    },
  }
  await createWorker({ space, tasks }).start()
  const client = createClient({ space })
  const first = createScheduler({ space, stopTimeoutMs: 1 })
  await first.start()
  const long = await client.enqueue('long', 0, { attempts: 3 })
  const later = await client.enqueue('note', 1, { delayMs: 50 })
  await until(() => runs.length === 1, 'the long one to run')
  await first.stop()
  await createScheduler({ space }).start()
  go()
  expect(await long.result()).toBe('long')
  expect(await later.result()).toBe(1)
  expect(runs).toEqual(['long 1', 'note 1'])
})

describe('with fake timers', () => {
  // Promises and the turns of the event loop go on by themselves.
  const start = (now: string): void => {
    jest.useFakeTimers({ now: new Date(now), doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
  }

  test('a delay may be longer than a timer of Node.js can be, and close() leaves no timer behind', async () => {
    start('2026-01-01T00:00:00Z')
    const ran = await ticks()
    await createScheduler({ space }).start()
    const client = createClient({ space })
    const ticket = await client.enqueue('tick', 0, { delayMs: 60 * DAY_MS })
    await jest.advanceTimersByTimeAsync(60 * DAY_MS - 1)
    expect([ran, (await ticket.status()).state]).toEqual([[], 'scheduled'])
    await jest.advanceTimersByTimeAsync(1)
    await ticket.result()
    expect(ran).toEqual([Date.parse('2026-03-02T00:00:00Z')])
    await client.enqueue('tick', 0, { at: new Date('2126-01-01') })
    await client.schedule('yearly', { cron: '@yearly' }, 'tick', 0)
    await space.close()
    expect(jest.getTimerCount()).toBe(0)
  })

  test('a daily schedule fires once in the nights when clocks change, also if it is declared again at any time of them', async () => {
    const daily = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }
    for (const [evening, firing] of [
      ['2026-10-24T22:00:00Z', '2026-10-25T00:30:00Z'],
      ['2026-03-28T22:00:00Z', '2026-03-29T01:30:00Z'],
    ] as const) {
      start(evening)
      await using night = await openSpace('memory:')
      const ran: number[] = []
      await createWorker({ space: night, tasks: { tick: () => void ran.push(Date.now()) } }).start()
      const client = createClient({ space: night })
      for (let half = 0; half < 12; half++) {
        // As an app does that is started again.
        const scheduler = createScheduler({ space: night })
        await scheduler.start()
        await client.schedule('nightly', daily, 'tick', 0)
        await jest.advanceTimersByTimeAsync(30 * 60_000)
        await scheduler.stop()
      }
      expect(ran).toEqual([Date.parse(firing)])
    }
  })

  test('a schedule that many declare at once fires once each time', async () => {
    start('2026-01-01T00:00:00Z')
    const ran = await ticks()
    await createScheduler({ space }).start()
    const client = createClient({ space })
    const declare = (everyMs: number) => client.schedule('often', { everyMs }, 'tick', 0)
    await Promise.all([1_000, 1_000, 500, 1_000, 500].map(declare))
    await jest.advanceTimersByTimeAsync(2_400)
    const later = ran.filter((at) => at > Date.parse('2026-01-01T00:00:00Z'))
    expect(later).toHaveLength(4)
    expect(await client.unschedule('often')).toBe(true)
    await jest.advanceTimersByTimeAsync(2_000)
    expect(ran.filter((at) => at > Date.parse('2026-01-01T00:00:00Z'))).toHaveLength(4)
  })

  test('runs of a schedule overlap if a run takes longer than the interval, unless they take turns (docs/tasks.md)', async () => {
    start('2026-01-01T00:00:00Z')
    const Turn = defineEntry<{ of: string }>('Turn')
    await space.write(Turn({ of: 'turns' }))
    const running = { slow: 0, turns: 0 }
    const most = { slow: 0, turns: 0 }
    const run = async (name: 'slow' | 'turns'): Promise<void> => {
      most[name] = Math.max(most[name], ++running[name])
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      running[name]--
    }
    let runs = 0
    const turns = async (_: unknown, { transaction }: TaskContext): Promise<void> => {
      const turn = await space.takeIfExists(Turn.template({ of: 'turns' }), { tx: transaction })
      if (!turn) return
      runs++
      await run('turns')
      await space.write(turn, { tx: transaction })
    }
    await createWorker({ space, tasks: { slow: () => run('slow'), turns } }).start()
    await createScheduler({ space }).start()
    const client = createClient({ space })
    await client.schedule('slow', { everyMs: 1_000 }, 'slow', 0)
    await client.schedule('turns', { everyMs: 1_000 }, 'turns', 0)
    await jest.advanceTimersByTimeAsync(10_000)
    expect([most, runs]).toEqual([{ slow: 3, turns: 1 }, 4])
    await client.unschedule('slow')
    await client.unschedule('turns')
    await jest.advanceTimersByTimeAsync(3_000)
  })
})
