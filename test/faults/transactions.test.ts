/** Promise 8: a transaction is all or nothing, whatever becomes of its process, and undone when that is gone. */
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, isLong, LEASE_MS, report, spread } from './form.js'

const Task = defineEntry<{ n: number }>('Task')
const Done = defineEntry<{ n: number; part: number; note?: string }>('Done')
const Noise = defineEntry<{ n: number }>('Noise')
/** About as long as a commit takes. */
const MOST_TURNS = 60
const STEPS = ['begun', 'took', 'wrote', 'committing', 'committed']

let redis: Redis
let space: Space
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  space = await openSpace(redis.url)
})
afterAll(async () => {
  await space.close()
  await redis.stop()
})

const children: Process[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** How much later than its step the n-th is struck: at once, while the next step is on its way to Redis and back, or in the steps behind it. */
function delayOf(n: number): string {
  const kind = Math.floor(n / STEPS.length) % 3
  if (kind === 0) return '0'
  return kind === 1 ? `${Math.floor(Math.random() * MOST_TURNS)} turns` : String(Math.random() * 3)
}

function transactor(step: string, after: string, signal: string, leaseMs: number): Process {
  const script = fileURLToPath(new URL('children/transactor.js', import.meta.url))
  const child = startProcess([script, redis.url, step, after, signal, String(leaseMs)])
  children.push(child)
  return child
}

/** What became of the n-th: `all` or `nothing` of it; anything else fails the test. */
async function outcomeOf(n: number): Promise<'all' | 'nothing'> {
  const enough = new AbortController()
  const { signal } = enough
  const found = [space.read(Task.template({ n }), { signal }), space.read(Done.template({ n }), { signal })]
  await Promise.race(found)
  enough.abort()
  await Promise.allSettled(found)
  const parts = await space.takeAll([Done.template({ n })], { waitMs: 0 })
  const task = await space.takeIfExists(Task.template({ n }))
  expect([parts.map(({ part }) => part), task?.n]).toEqual(task ? [[], n] : [[1, 2], undefined])
  return task ? 'nothing' : 'all'
}

test(
  'all or nothing, whenever its process is killed, and undone at once',
  async () => {
    let going = true
    const noise = (async () => {
      for (let n = 0; going; n++) {
        await space.write(Noise({ n }))
        await space.takeIfExists(Noise.template({ n }))
      }
    })()
    const times: number[] = []
    const counts: Record<string, number> = {}
    const points = form(10, 200)
    for (let n = 0; n < points; n++) {
      const step = STEPS[n % STEPS.length]!
      // Between the steps, too; how far it comes nobody knows.
      const child = transactor(step, delayOf(n), 'SIGKILL', 60_000)
      if (step !== 'begun') await space.write(Task({ n }))
      else {
        await child.line(/begun/)
        await space.write(Task({ n }))
      }
      expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' })
      const since = performance.now()
      const outcome = await outcomeOf(n)
      if (outcome === 'nothing' && step !== 'begun') times.push(performance.now() - since)
      if (child.output().includes('committed')) expect(outcome).toBe('all')
      const reached = STEPS.findLast((each) => child.output().includes(each))
      const name = `${reached}: ${outcome}`
      counts[name] = (counts[name] ?? 0) + 1
    }
    going = false
    await noise
    const { most, ...rest } = spread(times)
    report('killed in a transaction, undone (traffic), ms', { most, ...rest, ...counts })
    expect(counts['took: nothing']).toBeGreaterThan(0)
    expect(counts['wrote: nothing']).toBeGreaterThan(0)
    expect(counts['committed: all']).toBeGreaterThanOrEqual(points / STEPS.length)
    // Struck while the commit was on its way: before the space had it, and after.
    expect(counts['committing: nothing']).toBeGreaterThan(0)
    if (isLong) expect(counts['committing: all']).toBeGreaterThan(0)
    expect(most).toBeLessThan(form(LEASE_MS, 500))
    await space.takeAll([Noise], { waitMs: 0 })
  },
  form(60_000, 600_000),
)

test('one whose process is frozen is undone when its lease ends, and refused when that goes on', async () => {
  const TX_LEASE_MS = 1_000
  const times: number[] = []
  const steps = ['took', 'wrote', 'committing']
  for (const [i, step] of form(steps, [...steps, ...steps, ...steps, ...steps]).entries()) {
    const n = 1_000 + i
    await space.write(Task({ n }))
    const child = transactor(step, '0', 'SIGSTOP', TX_LEASE_MS)
    await child.line(new RegExp(step))
    const since = performance.now()
    expect(await space.read(Task.template({ n }), { waitMs: 60_000 })).toEqual({ n })
    times.push(performance.now() - since)
    child.kill('SIGCONT')
    await child.line(/refused TRANSACTION_ENDED/)
    expect(await outcomeOf(n)).toBe('nothing')
    child.kill('SIGKILL')
    await child.exited
  }
  const { most, ...rest } = spread(times)
  report(`frozen in a transaction of ${TX_LEASE_MS} ms, undone, ms`, { most, ...rest })
  expect(most).toBeLessThan(form(LEASE_MS, TX_LEASE_MS + 1_000))
})

test('afterwards nothing is left', async () => {
  await space.close()
  await nothingIsLeft(redis)
  await until(async () => (await redis.cli('HLEN', '{ts:default}:entries')) === '0', 'no entry is there')
})

failOnLeaks()
