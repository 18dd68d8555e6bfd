/** Results and failures of tasks: they come back whatever their size and shape, and a failure is told as such. */
import { expect, test } from '@jest/globals'
import { createClient, createScheduler, type SpaceError } from '../../src/index.js'
import type { Space } from '../../src/space.js'
import { createWorker, giveUp, type Task } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'

const caught = (failing: Promise<unknown>): Promise<SpaceError> =>
  failing.then(
    () => fail(),
    (error) => error as SpaceError,
  )

const work = (space: Space, tasks: Record<string, Task>): Promise<void> =>
  createWorker({ space, tasks, stopTimeoutMs: 0 }).start()

const HALF = '\ud83d'

/** A logger that reads all of an error, as pino does. */
const thorough = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields: object) => void Object.values(fields).map((field: Error) => field?.message),
}

/** Values that tasks throw, and what their callers are told. */
const THROWN: Record<string, [() => unknown, object]> = {
  half: [() => new SyntaxError(`no ${HALF}`), { name: 'SyntaxError', message: 'no \ufffd' }],
  cut: [() => new Error(`${'x'.repeat(9_999)}😀`), { message: 'x'.repeat(9_999) }],
  long: [() => new Error('x'.repeat(20_000_000)), { message: 'x'.repeat(10_000) }],
  names: [
    () => Object.assign(new Error('a'), { name: `E${HALF}`, code: `c${HALF}` }),
    { name: 'E\ufffd', code: 'c\ufffd' },
  ],
  codes: [
    () => Object.assign(new Error('a'), { code: Number.NaN, statusCode: Number.POSITIVE_INFINITY }),
    { message: 'a' },
  ],
  plain: [
    () => ({ statusCode: 418, message: 'a teapot', code: 'TEAPOT' }),
    { statusCode: 418, message: 'a teapot', code: 'TEAPOT' },
  ],
  status: [() => Object.assign(new Error('gone'), { statusCode: 410, code: 7 }), { statusCode: 410, code: 7 }],
  nothing: [() => undefined, { message: 'undefined' }],
  symbol: [() => Symbol('s'), { message: 'Symbol(s)' }],
  bare: [() => Object.create(null), { name: 'Error' }],
  getter: [() => Object.defineProperty(new RangeError('a'), 'message', { get: () => fail() }), { name: 'RangeError' }],
  proxy: [revoked, { name: 'Error' }],
  texts: [() => ({ message: { toString: fail }, name: 5, toString: fail }), { name: 'Error' }],
}

function fail(): never {
  throw new Error('it cannot be had')
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

everyEngine({ what: 'failures of tasks', partitions: 'all' }, (opened) => {
  test('a call, a ticket and a later task give the whole result, up to the size of an entry', async () => {
    const { space, other } = opened()
    await work(other, { text: (n: number) => 'x'.repeat(n), bytes: (n: number) => new Uint8Array(n).fill(7) })
    await createScheduler({ space, stopTimeoutMs: 200 }).start()
    const client = createClient({ space })
    for (const n of [1_000, 262_133, 300_000, 8 * 1024 * 1024 - 12]) {
      expect(await client.call('text', n)).toBe('x'.repeat(n))
      const now = await client.enqueue('text', n)
      const later = await client.enqueue('text', n, { attempts: 2 })
      expect(await now.result()).toBe('x'.repeat(n))
      expect(await later.result()).toBe('x'.repeat(n))
    }
    const bytes = (await client.call('bytes', 1_000_000)) as Uint8Array
    expect(Buffer.alloc(1_000_000, 7).equals(bytes)).toBe(true)
    // Larger, it is a failure of the task.
    const error = await caught(client.call('text', 8 * 1024 * 1024))
    expect(error).toMatchObject({ code: 'TASK_FAILED', cause: { code: 'INVALID_ENTRY' } })
    expect(error.message).toContain('8388608')
  })

  test('a failure is told whatever was thrown', async () => {
    const { space, other } = opened()
    const tasks = Object.fromEntries(
      Object.entries(THROWN).map(([name, [thrown]]) => [name, () => Promise.reject(thrown())]),
    )
    await createWorker({ space: other, tasks, stopTimeoutMs: 0, logger: thorough }).start()
    const client = createClient({ space })
    for (const [name, [, told]] of Object.entries(THROWN)) {
      const error = await caught(client.call(name, 0, { stack: true }))
      expect([name, error.code]).toEqual([name, 'TASK_FAILED'])
      expect(error.cause).toMatchObject(told)
      expect(error.cause).toBeInstanceOf(Error)
      if (name === 'codes') expect(Object.keys(error.cause as Error)).not.toContain('statusCode')
      const ticket = await client.enqueue(name, 0)
      expect((await caught(ticket.result())).cause).toMatchObject(told)
    }
  })

  test('a failed attempt is followed by the next one, and giving up by none, whatever the text', async () => {
    const { space, other } = opened()
    const texts = { plain: 'no', half: `no ${HALF}`, long: `${'x'.repeat(9_999)}😀`, control: '\u0001'.repeat(600) }
    const runs: Record<string, number> = {}
    const tasks: Record<string, Task> = {}
    for (const [name, text] of Object.entries(texts)) {
      const count = (kind: string): void => {
        runs[`${name} ${kind}`] = (runs[`${name} ${kind}`] ?? 0) + 1
      }
      tasks[`${name} fails`] = () => {
        count('fails')
        throw new Error(text)
      }
      tasks[`${name} gives up`] = () => {
        count('gives up')
        return giveUp(text)
      }
    }
    await work(other, tasks)
    await createScheduler({ space, stopTimeoutMs: 200 }).start()
    const client = createClient({ space })
    const tickets = await Promise.all(
      Object.keys(tasks).map((name) =>
        client.enqueue(name, 0, { attempts: 3, backoff: { kind: 'fixed', delayMs: 1 } }),
      ),
    )
    for (const ticket of tickets) await expect(ticket.result()).rejects.toMatchObject({ code: 'TASK_FAILED' })
    const expected = Object.keys(texts).flatMap((name) => [
      [`${name} fails`, 3],
      [`${name} gives up`, 1],
    ])
    expect(runs).toEqual(Object.fromEntries(expected))
    await until(async () => (await tickets[0]!.status()).state === 'failed', 'the failure to be known')
  })
})
