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
const ADDITIONS = form(1_000, 100_000)
/** From one kill to the next. */
const APART_MS = form(300, 1_000)
const Sum = defineEntry<{ id: string; total: number } & Record<string, number | string>>('Sum', { index: ['id'] })

let redis: Redis
let space: Space
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  space = await openSpace(redis.url)
})
const all = new Map<string, Process>()
afterEach(() => {
  for (const adder of all.values()) adder.kill('SIGKILL')
})
afterAll(async () => {
  await space.close()
  await redis.stop()
})

async function start(): Promise<string> {
  const own = `by${all.size}`
  const adder = startProcess([ADDER, redis.url, own])
  all.set(own, adder)
  await adder.line(/^1$/m)
  return own
}

test(
  `${PROCESSES} processes count to ${ADDITIONS} while one after the other is killed`,
  async () => {
    const { id } = await space.write(Sum({ id: 'all', total: 0 }), { leaseMs: Number.POSITIVE_INFINITY })
    const running: string[] = await Promise.all(Array.from({ length: PROCESSES }, start))
    let killed = 0
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
    for (let now = await total(1); now < ADDITIONS; ) {
      const next = performance.now() + APART_MS
      await until(() => performance.now() >= next, 'some time has passed')
      all.get(running.shift()!)!.kill('SIGKILL')
      killed++
      const since = performance.now()
      now = await total((await total(0)) + 1)
      longestMs = Math.max(longestMs, performance.now() - since)
      running.push(await start())
    }
    for (const own of running) all.get(own)!.kill('SIGTERM')
    for (const own of running) expect(await all.get(own)!.exited).toEqual({ code: 0, signal: null })
    await Promise.all(Array.from(all.values(), ({ exited }) => exited))
    const sum = (await space.readById(id)) as Record<string, number> | null
    const confirmed = Array.from(all, ([own, adder]) => [own, adder.output().split('\n').length - 1] as const)
    const wrong = confirmed.filter(([own, lines]) => {
      const counted = sum?.[own] ?? 0
      // That of one that was killed may have been on its way.
      return counted !== lines && !(counted === lines + 1 && !running.includes(own))
    })
    expect(wrong).toEqual([])
    expect(sum?.total).toBe(confirmed.reduce((count, [own]) => count + (sum?.[own] ?? 0), 0))
    expect(killed).toBeGreaterThan(0)
    expect(away).toBe(0)
    expect(await violations(redis)).toEqual([])
    report('counting', { additions: sum!.total!, killed, 'longest pause ms': Math.round(longestMs) })
  },
  form(60_000, 600_000),
)

failOnLeaks()
