/** Updates of one counter by many processes, one after the other killed: each that was confirmed counts once, and the counter is there at any time. */
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, report } from './form.js'

const ADDER = fileURLToPath(new URL('children/adder.js', import.meta.url))
const PROCESSES = form(3, 8)
const ADDITIONS = form(400, 100_000)
/** From one kill to the next. */
const APART_MS = form(300, 1_000)
const Sum = defineEntry<{ id: string; total: number } & Record<string, number | string>>('Sum', { index: ['id'] })

let redis: Redis
let space: Space
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  space = await openSpace(redis.url)
})
interface Adder {
  /** The field of its own, which its successor goes on with. */
  readonly own: string
  readonly process: Process
}
const all: Adder[] = []
afterEach(() => {
  for (const { process } of all) process.kill('SIGKILL')
})
afterAll(async () => {
  await space.close()
  await redis.stop()
})

async function start(own: string): Promise<Adder> {
  const adder = { own, process: startProcess([ADDER, redis.url, own]) }
  all.push(adder)
  await adder.process.line(/^\d+$/m)
  return adder
}

test(
  `${PROCESSES} processes count to ${ADDITIONS} while one after the other is killed`,
  async () => {
    const { id } = await space.write(Sum({ id: 'all', total: 0 }), { leaseMs: Number.POSITIVE_INFINITY })
    const running = await Promise.all(Array.from({ length: PROCESSES }, (_, i) => start(`by${i}`)))
    const killed = new Map<string, number>()
    let longestMs = 0
    let away = 0
    /** Waits until the counter has gone on. */
    const total = async (atLeast: number): Promise<number> => {
      let now = 0
      await until(async () => {
        const sum = await space.readById(id)
        if (!Sum.is(sum)) away++
        else now = sum.total
        return now >= atLeast
      }, `the counter is at ${atLeast}`)
      return now
    }
    for (let now = await total(1); now < ADDITIONS || killed.size < PROCESSES; ) {
      const next = performance.now() + APART_MS
      await until(() => performance.now() >= next, 'some time has passed')
      const { own, process } = running.shift()!
      process.kill('SIGKILL')
      killed.set(own, (killed.get(own) ?? 0) + 1)
      const since = performance.now()
      now = await total((await total(0)) + 1)
      longestMs = Math.max(longestMs, performance.now() - since)
      running.push(await start(own))
    }
    for (const { process } of running) process.kill('SIGTERM')
    for (const { process } of running) expect(await process.exited).toEqual({ code: 0, signal: null })
    await Promise.all(all.map(({ process }) => process.exited))
    const sum = (await space.readById(id)) as Record<string, number> | null
    const confirmed = new Map<string, number>()
    for (const { own, process } of all) {
      confirmed.set(own, (confirmed.get(own) ?? 0) + process.output().split('\n').length - 1)
    }
    // The last addition of one that was killed may not have been confirmed.
    const wrong = [...confirmed].filter(([own, lines]) => {
      const over = (sum?.[own] ?? 0) - lines
      return over < 0 || over > (killed.get(own) ?? 0)
    })
    expect(wrong).toEqual([])
    expect(sum?.total).toBe([...confirmed.keys()].reduce((count, own) => count + (sum?.[own] ?? 0), 0))
    const kills = [...killed.values()].reduce((count, times) => count + times, 0)
    expect(kills).toBeGreaterThan(0)
    expect(away).toBe(0)
    expect(await violations(redis)).toEqual([])
    report('counting', { additions: sum!.total!, kills, 'longest pause ms': Math.round(longestMs) })
  },
  form(60_000, 1_800_000),
)

failOnLeaks()
