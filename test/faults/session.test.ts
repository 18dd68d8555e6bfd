/** Promise 3: what a taker held when it died is back in the space, and what was only slow keeps what it holds. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import type { Process } from '../support/process.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, isLong, LEASE_MS, report, spread } from './form.js'
import { child, open, redis } from './opened.js'
import { hold, OK, outcomeOf, send } from './requests.js'

const Task = defineEntry<{ n: number }>('Task')

/** Stopped by SIGSTOP, as ps has it: from then on it reads nothing. */
async function freeze(process: Process): Promise<void> {
  process.kill('SIGSTOP')
  const state = (): string => execFileSync('ps', ['-o', 'stat=', '-p', String(process.pid)], { encoding: 'utf8' })
  await until(() => state().startsWith('T'), `process ${process.pid} is frozen`)
}

async function killed(process: Process): Promise<void> {
  process.kill('SIGKILL')
  expect(await process.exited).toEqual({ code: null, signal: 'SIGKILL' })
}

async function ended(process: Process): Promise<void> {
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
}

/** Writes and takes as fast as answers come, until it is told to stop. */
function traffic(space: Space): { stop(): Promise<void> } {
  const Noise = defineEntry<{ n: number }>('Noise')
  let going = true
  const run = (async () => {
    for (let n = 0; going; n++) {
      await space.write(Noise({ n }))
      await space.takeIfExists(Noise.template({ n }))
    }
  })()
  return {
    stop() {
      going = false
      return run
    },
  }
}

describe('what a killed process held is taken by one that waits', () => {
  async function timesToRecover(rounds: number, busy: boolean): Promise<number[]> {
    const space = await open(redis.url)
    const noise = busy ? traffic(space) : undefined
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const holder = child('holder', '1')
      await holder.line(/ready/)
      const sent = send(space, `/round/${round}`, { repeatable: true })
      await holder.line(/holds/)
      let since = 0
      const serving = await serveRequests(space, 'web', 1, (taken) => {
        times.push(performance.now() - since)
        void taken.complete(OK)
      })
      since = performance.now()
      await killed(holder)
      expect(await outcomeOf(sent)).toBe('200')
      await serving.stop()
    }
    await noise?.stop()
    await space.close()
    return times
  }

  test('when all is idle, long before its lease ends', async () => {
    const { most, ...rest } = spread(await timesToRecover(form(3, 20), false))
    report('held by a killed process, found again (idle), ms', { most, ...rest })
    expect(most).toBeLessThan(form(LEASE_MS, 1_000))
    await nothingIsLeft(redis)
  })

  test('under traffic, long before its lease ends', async () => {
    const { most, ...rest } = spread(await timesToRecover(form(3, 20), true))
    report('held by a killed process, found again (traffic), ms', { most, ...rest })
    expect(most).toBeLessThan(form(LEASE_MS, 500))
    await nothingIsLeft(redis)
  })

  test('but one that may not be run again is not, and its requester is told', async () => {
    const space = await open(redis.url)
    const holder = child('holder', '1')
    await holder.line(/ready/)
    const sent = send(space, '/once', { repeatable: false })
    await holder.line(/holds/)
    const other = await hold(space, 1)
    await killed(holder)
    expect(await outcomeOf(sent)).toBe('WORKER_LOST')
    expect(other.held).toEqual([])
    await space.close()
    await nothingIsLeft(redis)
  })
})

test('an entry that was on its way to a waiting take when its process was killed goes to the next that waits', async () => {
  const space = await open(redis.url)
  for (let n = 0; n < form(3, 20); n++) {
    const waiter = child('waiter', '1')
    await waiter.line(/waiting/)
    await freeze(waiter)
    await space.write(Task({ n }))
    // The fault hit: it was handed to the frozen process, so nobody else finds it.
    expect(await space.readIfExists(Task)).toBeNull()
    const next = space.take(Task, { waitMs: 10_000 })
    await killed(waiter)
    expect(await next).toEqual({ n })
    expect(waiter.output()).not.toMatch(/took/)
  }
  await space.close()
  await nothingIsLeft(redis)
})

test('of a process killed while entries stream to it, each is either taken or still there, and none is both', async () => {
  const TAKES = 8
  const space = await open(redis.url)
  let n = 0
  let hits = 0
  let rounds = 0
  let lost = 0
  while (hits < form(2, 20)) {
    rounds++
    const waiter = child('waiter', String(TAKES), 'again')
    const [, session] = await waiter.line(/waiting as (\S+)/)
    const first = n
    let writing = true
    const writes = (async () => {
      while (writing) await Promise.all(Array.from({ length: TAKES }, () => space.write(Task({ n: n++ }))))
    })()
    const enough = 100 + Math.floor(Math.random() * 100)
    await until(() => n - first > enough, 'entries stream')
    await killed(waiter)
    writing = false
    await writes
    // The fault hit: it died holding something that it had not acknowledged.
    if (Number(await redis.cli('SCARD', `{ts:default}:claims:${session}`)) > 1) hits++
    const seen = [...waiter.output().matchAll(/took (\d+)\n/g)].map(([, taken]) => Number(taken))
    await until(async () => {
      for (let task = await space.takeIfExists(Task); task; task = await space.takeIfExists(Task)) seen.push(task.n)
      return (await redis.cli('HLEN', '{ts:default}:entries')) === '0'
    }, 'no entry is held by the dead')
    expect(new Set(seen).size).toBe(seen.length)
    // A take is final when its promise resolves: what the process was just about to say counts as taken.
    lost += n - first - seen.length
    expect(n - first - seen.length).toBeLessThanOrEqual(TAKES)
  }
  report('killed while entries stream to it', {
    rounds,
    'holding something': hits,
    entries: n,
    'taken and not said': lost,
  })
  await space.close()
  await nothingIsLeft(redis)
})

const longTest = isLong ? test : test.skip

longTest(
  'a process that was frozen for longer than its lease is refused when it wakes up',
  async () => {
    const space = await open(redis.url)
    for (const repeatable of [true, false]) {
      const sleeper = child('holder', '1')
      await sleeper.line(/ready/)
      const answer = outcomeOf(send(space, '/frozen', { repeatable }))
      await sleeper.line(/holds/)
      const other = await hold(space, 1)
      const since = performance.now()
      await freeze(sleeper)
      if (repeatable) {
        await until(() => other.held.length === 1, 'another worker has it')
        expect(other.held[0]?.attempt).toBe(2)
        report('held by a frozen process, found again, ms', { after: Math.round(performance.now() - since) })
      } else expect(await answer).toBe('WORKER_LOST')
      sleeper.kill('SIGCONT')
      sleeper.kill('SIGUSR2')
      await sleeper.line(/accepted false/)
      await sleeper.line(/lost/)
      if (repeatable) expect(await other.held[0]?.complete(OK)).toBe(true)
      expect(await answer).toBe(repeatable ? '200' : 'WORKER_LOST')
      expect(other.held).toHaveLength(repeatable ? 1 : 0)
      await other.stop()
      await ended(sleeper)
    }
    await space.close()
    await nothingIsLeft(redis)
  },
  90_000,
)

failOnLeaks()
