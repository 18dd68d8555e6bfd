/** What enqueued tasks are promised: done once whoever is gone, with an outcome, or a dead letter, for whoever has the ticket. */
import { afterEach, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { DEAD_LETTER } from '../../src/engine.js'
import { isSpaceError } from '../../src/errors.js'
import type { Space } from '../../src/space.js'
import { deadLetterOf } from '../../src/tasks/dead-letter.js'
import { createWorker, giveUp, retryIn, type Task, type TaskContext, type Worker } from '../../workers/index.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'

const workers: Worker[] = []
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop()
})

async function work(space: Space, tasks: Record<string, Task>, concurrency = 16): Promise<Worker> {
  const worker = createWorker({ space, tasks, concurrency, stopTimeoutMs: 0 })
  workers.push(worker)
  await worker.start()
  return worker
}

const letters = async (space: Space) => {
  const pattern = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
  return (await space.engine.list(pattern, null, 50)).entries.map(deadLetterOf)
}

everyEngine({ what: 'enqueueing', partitions: 'all' }, (opened) => {
  test('a task is done though whoever enqueued it is gone; its outcome is there for whoever has the id', async () => {
    const { space, other, bounded } = opened()
    const third = await bounded({})
    const { id } = await createClient({ space: third }).enqueue('double', 21)
    const ticket = createClient({ space }).ticket<number>(id)
    expect(await ticket.status()).toEqual({ state: 'waiting', attempt: 1 })
    await expect(ticket.result({ waitMs: 0 })).rejects.toMatchObject({ code: 'TICKET_PENDING', retryable: true })
    await third.close()
    const waiting = [ticket.result(), createClient({ space: other }).ticket(id).result({ waitMs: 10_000 })]
    await work(other, { double: (n: number) => n * 2 })
    expect(await Promise.all(waiting)).toEqual([42, 42])
    expect(await ticket.result()).toBe(42)
    expect(await ticket.status()).toEqual({ state: 'completed', attempt: 1 })
    expect(await ticket.cancel()).toBe(false)
    expect(await letters(space)).toEqual([])
  })

  test('a large input and a large result pass', async () => {
    const { space, other } = opened()
    await work(other, { echo: (input) => input })
    const text = 'é'.repeat(100_000)
    expect(await (await createClient({ space }).enqueue('echo', { text })).result()).toEqual({ text })
  })

  test('what a task says of its progress is seen by the holder of its ticket', async () => {
    const { space, other } = opened()
    let go = (): void => {}
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    let refused: unknown
    await work(other, {
      slow: async (_: unknown, { progress }: TaskContext) => progress(1),
      long: async (_: unknown, context: TaskContext) => {
        refused = await context.progress('x'.repeat(3_000)).catch((error) => error)
        await context.progress({ done: 1, of: 2 })
        await gone
        // Nobody awaits these: the last one counts.
        for (let done = 2; done < 100; done++) void context.progress({ done })
        await context.progress({ done: 100 })
        return 'ok'
      },
    })
    const client = createClient({ space })
    const ticket = await client.enqueue('long', 0)
    const seen: unknown[] = []
    await until(async () => (await ticket.status()).progress !== undefined, 'some progress')
    expect(await ticket.status()).toEqual({ state: 'running', attempt: 1, progress: { done: 1, of: 2 } })
    const stop = await ticket.onProgress((progress) => seen.push(progress))
    go()
    expect(await ticket.result()).toBe('ok')
    await until(() => seen.length > 0 && (seen[seen.length - 1] as { done: number }).done === 100, 'the last')
    await stop()
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT' })
    // In a call nobody hears it.
    expect(await client.call('slow', 0)).toBeUndefined()
  })

  test('one that fails is a dead letter with its reason, attempts and last error', async () => {
    const { space, other } = opened()
    await work(other, {
      bad: () => {
        throw Object.assign(new TypeError('no width'), { code: 'E_WIDTH' })
      },
      never: () => giveUp('no such user'),
      busy: () => retryIn(10),
    })
    const client = createClient({ space, service: 'web' })
    const ticket = await client.enqueue('bad', { width: 0 })
    await expect(ticket.result()).rejects.toMatchObject({ code: 'TASK_FAILED', cause: { code: 'E_WIDTH' } })
    const error = { name: 'TypeError', message: 'no width', code: 'E_WIDTH' }
    expect(await ticket.status()).toEqual({ state: 'failed', attempt: 1, error })
    expect(await letters(space)).toMatchObject([{ reason: 'failed', service: 'web', task: 'bad', attempts: 1, error }])
    await expect((await client.enqueue('never', 1)).result()).rejects.toMatchObject({ cause: { name: 'GaveUp' } })
    await expect((await client.enqueue('busy', 1)).result()).rejects.toMatchObject({ cause: { name: 'RetryIn' } })
    expect((await letters(space)).map(({ task, reason }) => [task, reason])).toEqual([
      ['bad', 'failed'],
      ['never', 'gave up'],
      ['busy', 'failed'],
    ])
    // Of a call its caller knows.
    await expect(client.call('bad', 0)).rejects.toMatchObject({ code: 'TASK_FAILED' })
    expect(await letters(space)).toHaveLength(3)
  })

  test('one whose workers die is given to others, and after the third is a dead letter', async () => {
    const { space, other } = opened()
    const seen: number[] = []
    const tasks = {
      kill: (_: unknown, { attempt }: TaskContext) => {
        seen.push(attempt)
        return new Promise(() => {})
      },
    }
    const ticket = await createClient({ space }).enqueue('kill', 0)
    for (let attempt = 1; attempt <= 3; attempt++) {
      const worker = await work(other, tasks, 1)
      await until(() => seen.length === attempt, 'the task to run')
      await space.declareDead(other.presence)
      await worker.stop()
    }
    await expect(ticket.result()).rejects.toMatchObject({ code: 'DELIVERIES_EXHAUSTED' })
    expect(seen).toEqual([1, 2, 3])
    expect(await letters(space)).toMatchObject([{ reason: 'exhausted', task: 'kill', attempts: 3 }])
    expect(await ticket.status()).toMatchObject({ state: 'failed', error: { message: expect.any(String) } })
  })

  test('one that is cancelled is not run; if it runs, its signal fires', async () => {
    const { space, other } = opened()
    const client = createClient({ space })
    let runs = 0
    let signalled: unknown
    const early = await client.enqueue('hang', 0)
    expect(await early.cancel()).toBe(true)
    await work(other, {
      hang: (_: unknown, { signal }: TaskContext) => {
        runs++
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            signalled = signal.reason
            reject(signal.reason)
          })
        })
      },
    })
    await expect(early.result()).rejects.toMatchObject({ code: 'TICKET_CANCELLED' })
    expect(await early.status()).toMatchObject({ state: 'cancelled' })
    expect(runs).toBe(0)
    const running = await client.enqueue('hang', 0)
    await until(() => runs === 1, 'it to run')
    const result = expect(running.result()).rejects.toMatchObject({ code: 'TICKET_CANCELLED' })
    expect(await running.cancel()).toBe(true)
    await result
    await until(() => signalled !== undefined, 'its signal to fire')
    expect(signalled).toMatchObject({ code: 'CLAIM_LOST' })
    expect(await letters(space)).toEqual([])
  })

  test('under one key it is done once, and something else is refused', async () => {
    const { space, other } = opened()
    const client = createClient({ space })
    const idempotencyKey = 'order 17: confirmation'
    const tickets = await Promise.all(
      [space, other].flatMap((each) =>
        [1, 2].map(() => createClient({ space: each }).enqueue('mail', { to: 17 }, { idempotencyKey })),
      ),
    )
    expect(new Set(tickets.map(({ id }) => id)).size).toBe(1)
    let runs = 0
    await work(other, { mail: () => ++runs })
    expect(await Promise.all(tickets.map((ticket) => ticket.result()))).toEqual([1, 1, 1, 1])
    expect(await (await client.enqueue('mail', { to: 17 }, { idempotencyKey })).result()).toBe(1)
    const different = client.enqueue('mail', { to: 18 }, { idempotencyKey })
    await expect(different).rejects.toMatchObject({ code: 'KEY_REUSED', status: 422 })
    // Another service has keys of its own.
    const { id } = await client.enqueue('mail', { to: 18 }, { idempotencyKey, service: 'else' })
    expect(id).not.toBe(tickets[0]!.id)
    expect(runs).toBe(1)
  })

  test('a ticket goes with its lease, and waits end', async () => {
    const { space, other } = opened()
    const client = createClient({ space })
    const expired = await client.enqueue('nobody', 0, { timeoutMs: 30, leaseMs: 10_000 })
    await until(async () => (await expired.status()).state === 'expired', 'it to expire')
    const short = await client.enqueue('nobody', 0, { timeoutMs: 20, leaseMs: 20 })
    await expect(short.result()).rejects.toMatchObject({ code: 'TICKET_UNKNOWN' })
    await expect(short.status()).rejects.toMatchObject({ code: 'TICKET_UNKNOWN' })
    await expect(client.ticket('unknown').result()).rejects.toMatchObject({ code: 'TICKET_UNKNOWN', status: 404 })
    await work(other, { quick: () => 'done' })
    const kept = await client.enqueue('quick', 0, { leaseMs: 300 })
    expect(await kept.result()).toBe('done')
    await until(async () => {
      const error = await kept.result().catch((reason) => reason as unknown)
      return isSpaceError(error, 'TICKET_UNKNOWN')
    }, 'the outcome to go')
    const controller = new AbortController()
    const waiting = expired.result({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  testInOnePartition('tickets keep within their bytes', async () => {
    const { space, other } = opened()
    await work(other, { big: () => 'x'.repeat(50_000) })
    const client = createClient({ space, maxTicketBytes: 60_000 })
    await (await client.enqueue('big', 0)).result()
    await (await client.enqueue('big', 0)).result()
    await expect(client.enqueue('big', 0)).rejects.toMatchObject({ code: 'SPACE_FULL', status: 503 })
  })

  test('what is wrong is refused before anything is written', async () => {
    const client = createClient({ space: opened().space })
    const wrong: object[] = [
      { delayMs: -1 },
      { delayMs: 5, at: Date.now() },
      { at: 'tomorrow' },
      { at: new Date('none') },
      { attempts: 0 },
      { attempts: 1.5 },
      { backoff: { kind: 'linear', delayMs: 5 } },
      { backoff: { kind: 'fixed', delayMs: -5 } },
      { priority: 999 },
      { leaseMs: 0 },
      { timeoutMs: 0 },
      { idempotencyKey: '' },
      { idempotencyKey: 'x'.repeat(256) },
      { delay: 5 },
    ]
    for (const options of wrong) {
      await expect(client.enqueue('a', 0, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await expect(client.enqueue('a', () => {})).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    expect(() => client.ticket('')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    await expect(client.schedule('a:b', { everyMs: 5 }, 'a', 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(client.schedule('a', {} as never, 'a', 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const unheard = client.schedule('a', { cron: '* * * * *' }, 'a', 0, { callTimeoutMs: 50 })
    await expect(unheard).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
  })
})
