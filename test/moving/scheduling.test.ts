/** A scheduler goes with the space that it is beside: schedules go on, and retries and later tasks are not forgotten. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { openSpace } from '../../src/open.js'
import { createScheduler } from '../../src/scheduler.js'
import { createWorker } from '../../workers/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { openBoth, type Servers, startMove, startServers } from './moving.js'

describeOnRedis('a scheduler of a space that moves', () => {
  let servers: Servers
  const closing: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  afterAll(() => servers.stop())

  test('fires before and after the move; retries and later tasks run once at the new address', async () => {
    const name = 'scheduled {:}'
    const [one, two] = [await openBoth(servers, name), await openBoth(servers, name)]
    closing.push(
      () => one.close(),
      () => two.close(),
    )
    const firings: number[] = []
    const later: string[] = []
    let failures = 0
    const worker = createWorker({
      space: one,
      stopTimeoutMs: 0,
      tasks: {
        tick: (at: number) => void firings.push(at),
        later: (text: string) => void later.push(text),
        flaky: () => {
          if (++failures < 3) throw new Error('not yet')
          return failures
        },
      },
    })
    await worker.start()
    for (const space of [one, two]) await createScheduler({ space, stopTimeoutMs: 1_000 }).start()
    const client = createClient({ space: two })
    await client.schedule('often', { everyMs: 300 }, 'tick', 0)
    await client.enqueue('later', 'in an hour', { delayMs: 3_600_000 })
    const flaky = await client.enqueue('flaky', 0, { attempts: 5, backoff: { kind: 'fixed', delayMs: 2_000 } })
    await until(() => firings.length > 2, 'it fires')
    const move = await startMove(servers, name)
    const soon = await client.enqueue('later', 'soon', { delayMs: 1_000 })
    await move.done
    const before = firings.length
    await until(() => firings.length > before + 3, 'it fires at the new address')
    expect(await flaky.result()).toBe(3)
    await soon.result()
    expect(later).toEqual(['soon'])
    await servers.old.kill()
    // A scheduler that has the new address alone finds the schedule and the task.
    const alone = await openSpace(servers.fresh.url, { name })
    closing.push(() => alone.close())
    await createScheduler({ space: alone, stopTimeoutMs: 200 }).start()
    const then = firings.length
    await until(() => firings.length > then + 3, 'it goes on')
    expect(await createClient({ space: alone }).unschedule('often')).toBe(true)
    const delayed = await servers.fresh.cli('ZCARD', `bull:takespace.${encodeURIComponent(name)}:delayed`)
    expect(Number(delayed)).toBeGreaterThan(0)
  })
})

failOnLeaks()
