/** What calls of tasks are promised: a worker that has the task, one answer, an error as it was thrown; redelivery as for requests. */
import { afterEach, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { defineEntry } from '../../src/entry.js'
import type { SpaceError } from '../../src/errors.js'
import type { Space } from '../../src/space.js'
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

/** Ends when it is told to. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

everyEngine({ what: 'calling', partitions: 'all' }, (opened, engine) => {
  test('a call is run by a worker that has the task, and its result comes back as it was', async () => {
    const { space, other } = opened()
    await work(other, {
      echo: (input) => input,
      resize: async ({ width }: { width: number }) => ({ ok: true, area: width * width }),
    })
    const client = createClient({ space })
    expect(await client.call('resize', { width: 12 })).toEqual({ ok: true, area: 144 })
    const value = { at: new Date(5), big: 2n ** 70n, bytes: new Uint8Array([0, 255]), deep: [null, { $x: 'é' }] }
    for (const input of [value, null, undefined, 0, 'text', [1]])
      expect(await client.call('echo', input)).toEqual(input)
    const large = 'x'.repeat(100_000)
    expect(await client.call('echo', large)).toBe(large)
  })

  test('each worker is handed the tasks that it has, whatever else waits in front of them', async () => {
    const { space, other } = opened()
    const client = createClient({ space })
    // More than a search looks at in one go.
    const waiting = Array.from({ length: 250 }, (_, i) => client.call('later', i))
    const b = [1, 2, 3].map((i) => client.call('b', i))
    const c = client.call('c', 'early')
    await space.engine.renew('unknown', 1)
    await work(other, { a: () => 'a', b: (i) => `b${i}`, c: (i) => `c ${i}` }, 2)
    expect(await Promise.all(b)).toEqual(['b1', 'b2', 'b3'])
    expect(await c).toBe('c early')
    expect(await client.call('a', 0)).toBe('a')
    const late = work(space, { later: (i) => i })
    expect(await waiting[249]).toBe(249)
    await late
    await Promise.all(waiting)
  })

  test('a worker with room gets a call at once though others stand before it for other tasks', async () => {
    const { space, other } = opened()
    await work(space, { a: () => 'a', x: () => 'x' }, 64)
    await work(other, { b: () => 'b', y: () => 'y' }, 1)
    const client = createClient({ space })
    expect(await Promise.all(['a', 'b', 'x', 'y'].map((task) => client.call(task, 0)))).toEqual(['a', 'b', 'x', 'y'])
  })

  test('the error of a task is the cause, with its name, message and code, and with its stack only if asked', async () => {
    const { space, other } = opened()
    await work(other, {
      bad: () => {
        throw Object.assign(new RangeError('too wide'), { code: 'E_WIDE' })
      },
      text: () => Promise.reject('plain'),
      unstorable: () => () => {},
      never: () => giveUp('no such user'),
      busy: () => retryIn(5_000),
    })
    const client = createClient({ space })
    const caught = (task: string, stack = false): Promise<Error & { cause: Error }> =>
      client.call(task, 0, { stack }).then(
        () => Promise.reject(new Error('it resolved')),
        (error) => error,
      )
    const error = await caught('bad')
    expect(error).toMatchObject({ code: 'TASK_FAILED', status: 500, retryable: false })
    expect(error.cause).toMatchObject({ name: 'RangeError', message: 'too wide', code: 'E_WIDE' })
    expect(error.cause).toBeInstanceOf(Error)
    expect(error.cause.stack).toBe('RangeError: too wide')
    expect((await caught('bad', true)).cause.stack).toContain('calling.test')
    expect((await caught('text')).cause).toMatchObject({ name: 'Error', message: 'plain' })
    expect((await caught('unstorable')).cause).toMatchObject({ name: 'SpaceError', code: 'INVALID_ENTRY' })
    expect((await caught('never')).cause).toMatchObject({ name: 'GaveUp', message: 'no such user' })
    expect((await caught('busy')).cause).toMatchObject({ name: 'RetryIn', message: expect.stringContaining('5000 ms') })
  })

  test('a call ends by its time and by its signal, and the task is told', async () => {
    const { space, other } = opened()
    const cut: unknown[] = []
    const running = gate()
    const hang = (_: unknown, { signal }: TaskContext): Promise<never> => {
      running.open()
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          cut.push(signal.reason)
          reject(signal.reason)
        })
      })
    }
    await work(other, { hang })
    const client = createClient({ space })
    await expect(client.call('hang', 0, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
    await until(() => cut.length === 1, 'the first to be told')
    const controller = new AbortController()
    const called = client.call('hang', 0, { signal: controller.signal })
    await running.opened
    controller.abort(new Error('enough'))
    await expect(called).rejects.toThrow('enough')
    await until(() => cut.length === 2, 'the second to be told')
    await expect(client.call('hang', 0, { signal: controller.signal })).rejects.toThrow('enough')
    await expect(client.call('nobody has it', 0, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
  })

  test('a call of a task that no worker has says so, with the nearest that there is', async () => {
    const { space, other } = opened()
    const client = createClient({ space })
    const late = async (task: string, service = 'web'): Promise<string> => {
      const error = await client.call(task, 0, { timeoutMs: 20, service }).then(String, (reason: SpaceError) => reason)
      expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT' })
      return (error as SpaceError).message.replace(/^.*may have started\. /, '')
    }
    expect(await late('resize')).toMatch(
      /^The task is resize, of the service web\. No worker of this service that has tasks/,
    )
    const hang = () => new Promise(() => {})
    const long = 'a name that is too long to stand in the space as it is'
    await work(other, { resize: hang, 'send-mail': hang, [long]: hang, 'ä|%=:': hang }, 1)
    await createWorker({ space: other, service: 'print', tasks: { page: hang }, stopTimeoutMs: 0 }).start()
    expect(await late('resiz')).toBe(
      'The task is resiz, of the service web. No worker of this service has this task. They have resize, send-mail, ä|%=:. Did you mean resize?',
    )
    expect(await late('resize', 'print')).toMatch(/No worker of this service has this task\. They have page\.$/)
    // The worker has no room: its tasks are offered nevertheless.
    expect(await late('resize')).toBe('The task is resize, of the service web.')
    expect(await late(long)).toBe(`The task is ${long}, of the service web.`)
    const ticket = await client.enqueue('resiz', 0)
    await expect(ticket.result({ waitMs: 20 })).rejects.toThrow(/is waiting\. .* Did you mean resize\?$/)
  })

  testInOnePartition('where a process waits for too much to look through, nothing is said of workers', async () => {
    const { space, other } = opened()
    await work(other, { resize: () => 'resized' })
    const stop = new AbortController()
    const Never = defineEntry('Never')
    const waits = Array.from({ length: 201 }, () => space.take(Never, { signal: stop.signal }).catch(() => {}))
    const late = await createClient({ space }).call('resiz', 0, { timeoutMs: 20 }).then(String, String)
    expect(late).toMatch(engine === 'redis' ? /The task is resiz, of the service web\.$/ : /Did you mean resize\?$/)
    stop.abort()
    await Promise.all(waits)
  })

  test('a task knows its attempt and deadline; when its worker dies it goes to another, unless it may not', async () => {
    const { space, other } = opened()
    const seen: number[] = []
    const first = gate()
    const tasks = {
      work: async (_: unknown, { attempt, deadline, id }: TaskContext) => {
        seen.push(attempt)
        first.open()
        expect(deadline).toBeGreaterThan(Date.now())
        if (attempt === 1) await new Promise(() => {})
        return id
      },
    }
    await work(other, tasks, 1)
    const client = createClient({ space })
    const again = client.call('work', 0)
    await first.opened
    await work(space, tasks, 1)
    await space.declareDead(other.presence)
    expect(typeof (await again)).toBe('string')
    expect(seen).toEqual([1, 2])
  })

  test('one that may not run twice is not: its caller is told', async () => {
    const { space, other } = opened()
    const started = gate()
    await work(other, { once: () => new Promise(() => started.open()) })
    const called = createClient({ space }).call('once', 0, { repeatable: false })
    const lost = expect(called).rejects.toMatchObject({ code: 'WORKER_LOST' })
    await started.opened
    await space.declareDead(other.presence)
    await lost
  })

  test('what a task writes under its transaction becomes so with its result, and not if it fails', async () => {
    const { space, other } = opened()
    const Note = defineEntry<{ text: string }>('Note')
    await work(other, {
      note: async ({ text, fail }: { text: string; fail: boolean }, { transaction }: TaskContext) => {
        await other.write(Note({ text }), { tx: transaction })
        if (fail) throw new Error('no')
      },
    })
    const client = createClient({ space })
    await expect(client.call('note', { text: 'undone', fail: true })).rejects.toMatchObject({ code: 'TASK_FAILED' })
    await client.call('note', { text: 'done', fail: false })
    expect(await space.take(Note)).toEqual({ text: 'done' })
    expect(await space.takeIfExists(Note)).toBeNull()
  })

  test('the name of a task may be of any script, and has no control character: heads have a line for it', async () => {
    const { space, other } = opened()
    const names = ['größe ändern', '大きさ', '🙂 "a" \\n']
    await createWorker({ space: other, tasks: Object.fromEntries(names.map((name) => [name, () => name])) }).start()
    const client = createClient({ space })
    expect(await Promise.all(names.map((name) => client.call(name)))).toEqual(names)
    for (const name of ['a\nb', 'a\r', '\0', '\x7f', 'a\ud800']) {
      await expect(client.call(name)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      const wrong = () => createWorker({ space, tasks: { [name]: () => 1 } })
      expect(wrong).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
  })

  test('a wrong call is refused', async () => {
    const client = createClient({ space: opened().space })
    const wrong: [string, object][] = [
      ['', {}],
      ['a', { timeoutMs: 0 }],
      ['a', { timeoutMs: Number.NaN }],
      ['a', { priority: 1.5 }],
      ['a', { timeout: 5 }],
    ]
    for (const [task, options] of wrong) {
      await expect(client.call(task, 0, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await expect(client.call('a', () => {})).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
  })
})
