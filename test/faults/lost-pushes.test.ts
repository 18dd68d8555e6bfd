/** Promises 4 and 8: pushes are lost while connections stay up, or connections are cut again and again. Every request is answered. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Load, startLoad } from '../support/load.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, report } from './form.js'
import { testInLongForm } from './long-form.js'
import { type System, startSystem } from './system.js'

const PER_SECOND = form(50, 200)
const DEAF_MS = form(2_000, 10_000)
const CUT_FOR_MS = form(3_000, 30_000)
const CUT_EVERY_MS = 500

let redis: Redis
let link: Link
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
beforeEach(async () => {
  link = await startLink(redis.port)
})
afterEach(async () => {
  await system?.destroy()
  await link.close()
  await redis.cli('FLUSHALL')
})
afterAll(() => redis.stop())

/** Gateway and workers are behind the link. */
async function loaded(): Promise<Load> {
  system = await startSystem({ ...redis, url: link.url }, { processes: 3, concurrency: 16 })
  const load = startLoad(system.url, { perSecond: PER_SECOND, method: 'GET', path: (n) => `/${n}?ms=10` })
  await until(() => load.answers.length >= 50, 'requests are answered')
  return load
}

test(
  'all pushes are lost for a while: every request is answered, soon after they come again',
  async () => {
    const load = await loaded()
    const before = link.lost
    link.dropPushes(true)
    await pause(DEAF_MS)
    link.dropPushes(false)
    const since = performance.now()
    const { sent } = load
    const answered = load.answers.length
    await until(() => load.answers.length > answered, 'one of them is answered')
    const firstMs = performance.now() - since
    await until(() => load.answers.length >= sent, 'what was sent meanwhile is answered')
    const servedMs = performance.now() - since
    const answers = await load.stop()
    report('all pushes dropped', {
      'for, ms': DEAF_MS,
      lost: link.lost - before,
      requests: answers.length,
      'not 200': answers.filter(({ status }) => status !== 200).length,
      'waiting then': sent - answered,
      'first answered after, ms': Math.round(firstMs),
      'all answered after, ms': Math.round(servedMs),
    })
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(link.lost - before).toBeGreaterThan(0)
    // Then they are worked off as fast as the machine can.
    expect(firstMs).toBeLessThan(form(15_000, 1_000))
  },
  form(60_000, 120_000),
)

// The short form has `reconnect-storms.test.ts`.
testInLongForm(
  `all connections are cut every ${CUT_EVERY_MS} ms: no request gets a 504`,
  async () => {
    const load = await loaded()
    let cuts = 0
    for (const end = performance.now() + CUT_FOR_MS; performance.now() < end; cuts++) {
      link.cut()
      await pause(CUT_EVERY_MS)
    }
    const answers = await load.stop()
    const statuses = answers.map(({ status }) => status)
    report(`connections cut every ${CUT_EVERY_MS} ms`, {
      cuts,
      requests: answers.length,
      '200': statuses.filter((status) => status === 200).length,
      '504': statuses.filter((status) => status === 504).length,
      others: statuses.filter((status) => status !== 200 && status !== 504).length,
    })
    expect(answers.filter(({ status }) => status === 504)).toEqual([])
    expect(cuts).toBeGreaterThan(3)
  },
  form(60_000, 180_000),
)

failOnLeaks()
