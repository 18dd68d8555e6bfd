/** A large space: how soon the page is there, and what the dashboard costs Redis, with one tab, twenty, and hidden ones. */
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { ProcessPresence } from '../../src/control/kinds.js'
import { ALL_RIGHTS } from '../../src/dashboard/rights.js'
import { defineEntry } from '../../src/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { startBrowser } from './browser.js'
import { goTo } from './looks.js'
import { functionCalls, openRoom } from './room.js'

const LETTERS = 10_000
const PROCESSES = 200
const TOGETHER = 1_000
const REPORT_MS = 3_000
const WINDOW_MS = 10_000

const Item = defineEntry<{ id: number; group: number }>('Item', { index: ['id'] })

async function fill(space: Space, entries: number): Promise<void> {
  for (let n = 0; n < entries; n += TOGETHER) {
    await space.writeAll(
      Array.from({ length: Math.min(TOGETHER, entries - n) }, (_, i) => Item({ id: n + i, group: n })),
    )
  }
  const Bad = defineEntry<{ id: number }>('Bad')
  for (let n = 0; n < LETTERS; n += TOGETHER) {
    const leases = await space.writeAll(Array.from({ length: TOGETHER }, (_, i) => Bad({ id: n + i })))
    await Promise.all(leases.map(({ id }, i) => space.engine.deadLetter(id, `reason ${i % 7}`)))
  }
}

/** Keeps the reports of processes, each renewed as a process does. Returns a function that ends it. */
function pretendProcesses(space: Space): () => void {
  const reportOf = (n: number) =>
    ProcessPresence({
      ...{
        process: `pretended-${n}`,
        host: `host-${n % 20}`,
        pid: n,
        roles: ['worker'],
        services: [`service-${n % 40}`],
      },
      ...{ tasks: [], release: `r${n % 3}`, version: '0', startedAt: 0, capacity: 16, held: n % 16, oldestMs: 5 },
      ...{ loopLagMs: 1, rssBytes: 1e8, state: 'running', running: [], at: Date.now() },
    })
  let next = 0
  const timer = setInterval(() => {
    void space.write(reportOf(next++ % PROCESSES), { leaseMs: REPORT_MS + 2_000 }).catch(() => {})
  }, REPORT_MS / PROCESSES)
  return () => clearInterval(timer)
}

interface Cost {
  /** Calls a second, and µs that Redis spends on them in a second. */
  readonly calls: number
  readonly micros: number
}

const microsOf = async (redis: Redis): Promise<number> => {
  const stats = await redis.cli('INFO', 'commandstats')
  const of = (name: string): number =>
    Number(new RegExp(`cmdstat_${name}:calls=\\d+,usec=(\\d+)`).exec(stats)?.[1] ?? 0)
  return of('fcall') + of('fcall_ro')
}

async function costWithin(redis: Redis): Promise<Cost> {
  const [from, calls, micros] = [performance.now(), await functionCalls(redis), await microsOf(redis)]
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS))
  const seconds = (performance.now() - from) / 1_000
  return {
    calls: ((await functionCalls(redis)) - calls) / seconds,
    micros: ((await microsOf(redis)) - micros) / seconds,
  }
}

/** ms until the first paint, and until the numbers of the space are there. */
async function timesOf(page: Page, url: string, place: string): Promise<[number, number]> {
  await page.goto('about:blank')
  const from = performance.now()
  await page.goto(`${url}#/${place}`, { waitUntil: 'commit' })
  await page.locator('.status .figure').first().waitFor()
  const shown = performance.now() - from
  const paint = await page.evaluate<number>(`performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0`)
  return [Math.round(paint), Math.round(shown)]
}

/** Returns a line for each figure. */
export async function measureLarge(entries: number): Promise<string[]> {
  const redis = await startRedis()
  const filler = await openSpace(redis.url, { name: 'large' })
  await fill(filler, entries)
  const room = await openRoom(redis, 'large', { rights: ALL_RIGHTS })
  const browser = await startBrowser()
  const lines = [`${entries} entries, ${LETTERS} dead letters`]
  try {
    const tell = (name: string, { calls, micros }: Cost, base: Cost): Cost => {
      const own = { calls: calls - base.calls, micros: micros - base.micros }
      lines.push(
        `${name}: ${own.calls.toFixed(1)} calls a second, ${(own.micros / 10_000).toFixed(2)} % of the time of Redis`,
      )
      return own
    }
    const none = { calls: 0, micros: 0 }
    const page = await browser.context.newPage()
    const unwatched = await costWithin(redis)
    tell('nobody looks (with the beats of the space)', unwatched, none)
    for (const place of ['overview', 'dead', 'entries?kind=Item']) {
      const [paint, shown] = await timesOf(page, room.url, place)
      lines.push(`${place}: first paint after ${paint} ms, numbers after ${shown} ms`)
    }
    const one = tell('one tab, few processes', await costWithin(redis), unwatched)
    const stop = pretendProcesses(filler)
    await goTo(page, room.url, 'processes')
    await until(
      async () => (await page.locator('.status').textContent())?.includes(`${PROCESSES} processes`) === true,
      'all processes are shown',
    )
    const withProcesses = await costWithin(redis)
    const tabs = await Promise.all(Array.from({ length: 19 }, () => browser.context.newPage()))
    for (const tab of tabs) await goTo(tab, room.url, 'overview')
    const twenty = tell(`twenty tabs instead of one, ${PROCESSES} processes`, await costWithin(redis), withProcesses)
    stop()
    for (const tab of tabs) await tab.close()
    await page.evaluate(
      `Object.defineProperty(document, 'hidden', { get: () => true }); document.dispatchEvent(new Event('visibilitychange'))`,
    )
    const hidden = tell('one hidden tab', await costWithin(redis), unwatched)
    assert.ok(one.calls <= 3, 'at most three calls a second')
    assert.ok(twenty.calls <= 1, 'twenty tabs cost no more than one')
    assert.ok(hidden.calls < 0.5, 'a hidden tab costs nothing')
    return lines
  } finally {
    await browser.close()
    await room.close()
    await filler.close()
    await redis.stop()
  }
}
