/** The short form of `npm run test:soak`: that all faults strike, and that a leak would be seen. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { report } from './report.js'
import { Samples, slope, watched } from './samples.js'
import { soak } from './soak.js'

const SECONDS = 4

let redis: Redis
const folder = mkdtempSync(join(tmpdir(), 'takespace-soak-test-'))
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('under mixed faults every request is accounted for, and afterwards keys and descriptors are as before', async () => {
  const { wrong } = report(await soak({ seed: 1, seconds: SECONDS, fsync: 'always', say: () => {} }), SECONDS)
  expect(wrong).toEqual([])
}, 240_000)

test('memory and descriptors that leak are told from garbage', async () => {
  const script = fileURLToPath(new URL('children/leaking.js', import.meta.url))
  const [leaking, sound] = [Number.POSITIVE_INFINITY, 10].map((most) =>
    startProcess([script, String(most)], { env: watched(folder) }),
  ) as [Process, Process]
  await Promise.all([leaking, sound].map((process) => process.line(/ready/)))
  const members = new Map([
    ['leaking', leaking.pid],
    ['sound', sound.pid],
  ])
  const samples = new Samples(folder, redis, members)
  const opened = (name: string): number => samples.of(name).at(-1)!.descriptors - samples.of(name)[0]!.descriptors
  await until(async () => {
    await samples.idle()
    return opened('leaking') > 300
  }, 'it has opened 300 more')
  expect(Math.abs(opened('sound'))).toBeLessThanOrEqual(10)
  const perMinute = (name: string): number => slope(samples.of(name), ({ heap }) => heap) / 1_000_000
  // 10 kB every 5 ms are 120 MB in a minute, if the machine has the time.
  expect(perMinute('leaking')).toBeGreaterThan(20)
  expect(perMinute('sound')).toBeLessThan(perMinute('leaking') / 4)
  for (const process of [leaking, sound]) process.kill('SIGKILL')
  await Promise.all([leaking.exited, sound.exited])
})

failOnLeaks()
