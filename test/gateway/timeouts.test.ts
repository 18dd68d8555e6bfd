/** Timeouts of requests and calls: each ends at its own time and not before, and one timer is enough for all of them. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { createClient } from '../../src/client.js'
import { Timeouts } from '../../src/runtime/timeouts.js'
import { createWorker } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { collectGarbage } from '../support/garbage.js'
import { until } from '../support/until.js'
import { ask } from './serving.js'

/** The timers that keep this process alive. */
const timers = (): number => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length

/** Returns when each of these timeouts, started in this order, has ended, by its time. */
const endsOf = (timeouts: Timeouts, times: readonly number[]): Promise<number>[] =>
  times.map((ms) => new Promise((resolve) => timeouts.start(ms, () => resolve(ms))))

test('one that is due before the others ends before them, and one that is restarted ends later', async () => {
  const timeouts = new Timeouts()
  const long = timeouts.start(600_000, () => {})
  expect(await Promise.race(endsOf(timeouts, [200_000, 20, 300_000]))).toBe(20)
  const order: string[] = []
  const since = performance.now()
  let restarted = 0
  const late = new Promise<void>((resolve) => {
    const timeout = timeouts.start(60, () => resolve(void order.push('restarted')))
    timeouts.start(30, () => {
      restarted = performance.now() - since
      timeout.restart()
    })
  })
  await Promise.all([late, ...endsOf(timeouts, [70])].map((end) => end.then((ms) => void (ms && order.push('other')))))
  expect(performance.now() - since - restarted).toBeGreaterThanOrEqual(60)
  expect(order).toEqual(['other', 'restarted'])
  long.end()
})

test('the timer keeps the process alive while a timeout runs, and none is left once they are closed', async () => {
  const [before, timeouts] = [timers(), new Timeouts()]
  const [one, two] = [timeouts.start(60_000, () => {}), timeouts.start(50_000, () => {})]
  expect(timers()).toBe(before + 1)
  one.end()
  one.end()
  expect(timers()).toBe(before + 1)
  two.end()
  expect(timers()).toBe(before)
  const three = timeouts.start(60_000, () => {})
  expect(timers()).toBe(before + 1)
  timeouts.close()
  expect(timers()).toBe(before + 1)
  three.end()
  expect(timers()).toBe(before)
})

everyEngine('timeouts', (opened) => {
  test('each call ends at its own time, not before, whatever the order in which they were made', async () => {
    const client = createClient({ space: opened().space })
    const ended: number[] = []
    const times = [400, 90, 250, 30, 330, 60, 180, 120, 210, 300]
    const calls = times.map(async (timeoutMs) => {
      const since = performance.now()
      await expect(client.call('nobody', 0, { timeoutMs })).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
      ended.push(timeoutMs)
      return performance.now() - since - timeoutMs
    })
    expect((await Promise.all(calls)).filter((late) => late < 0)).toEqual([])
    // The first was made before the shortest, which still ends long before it.
    expect(ended.indexOf(30)).toBeLessThan(ended.indexOf(400))
  })

  test('requests of a gateway and calls share one timer, which none of them leaves behind', async () => {
    const { space, other } = opened()
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const begun: unknown[] = []
    const work = async (input: unknown): Promise<void> => {
      begun.push(input)
      await answered
    }
    const app = { fetch: async (req: Request) => new Response(String(await work(req.url))) }
    const terms = { tasks: { work }, app, concurrency: 200 }
    await createWorker({ space: other, ...terms }).start()
    const gateway = createGateway({ space, port: 0 })
    await gateway.start()
    const port = Number(new URL(gateway.url).port)
    const client = createClient({ space })
    const first = client.call('work')
    await until(() => begun.length === 1, 'the first to run')
    const before = timers()
    const calls = Array.from({ length: 100 }, (_, i) => client.call('work', i, { timeoutMs: 60_000 + i }))
    const asked = Array.from({ length: 60 }, () => ask(port))
    await until(() => begun.length === 161, 'all to run')
    expect(timers() - before).toBeLessThan(30)
    answer()
    await Promise.all([first, ...calls, ...asked])
    await gateway.stop()
    await until(() => timers() < before, 'no timer of theirs keeps the process alive')
  })

  test('what was there when the timer was set is not kept by it', async () => {
    const { space, other } = opened()
    const local = new AsyncLocalStorage<object>()
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    await createWorker({ space: other, tasks: { quick: () => {}, slow: () => ended } }).start()
    const client = createClient({ space })
    const stored = await (async () => {
      const store = { large: 'x' }
      await local.run(store, () => client.call('quick', 0, { timeoutMs: 20_000 }))
      return new WeakRef(store)
    })()
    const slow = client.call('slow')
    await until(() => {
      collectGarbage()
      return stored.deref() === undefined
    }, 'the store to be collected')
    end()
    await slow
  })
})
