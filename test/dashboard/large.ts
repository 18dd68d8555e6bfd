/** A large space: how soon the page is there, and what the dashboard costs Redis with one tab, twenty, and a hidden one. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
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
import { openRoom } from './room.js'

const LETTERS = 10_000
const PROCESSES = 200
const TOGETHER = 1_000
const REPORT_MS = 3_000
const WINDOW_MS = 10_000
const ROUND_MS = 4_000
const ROUNDS = 5

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
      ...{
        tasks: [],
        release: `r${n % 3}`,
        version: '0',
        startedAt: 0,
        capacity: 16,
        held: n % 16,
        oldestMs: 5,
        finished: 0,
        failed: 0,
      },
      ...{ loopLagMs: 1, rssBytes: 1e8, state: 'running', running: [], at: Date.now() },
    })
  let next = 0
  const timer = setInterval(() => {
    void space.write(reportOf(next++ % PROCESSES), { leaseMs: REPORT_MS + 2_000 }).catch(() => {})
  }, REPORT_MS / PROCESSES)
  return () => clearInterval(timer)
}

/** Calls of one process other than beats, as Redis sees them come, for a while. */
async function batchesOf(redis: Redis, presence: string): Promise<number> {
  const socket = connect(Number(new URL(redis.url).port), '127.0.0.1')
  let seen = 0
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\r\n')
    text = lines.pop()!
    seen += lines.filter(
      (line) => line.includes('_batch"') && line.includes(presence) && !line.includes(' lua]'),
    ).length
  })
  socket.write('MONITOR\r\n')
  await pause(WINDOW_MS)
  socket.destroy()
  return seen / (WINDOW_MS / 1_000)
}

/** ms until the first paint, and until the numbers of the space are there: the median of five. */
async function timesOf(page: Page, url: string, place: string): Promise<[number, number]> {
  const times: [number, number][] = []
  for (let n = 0; n < 5; n++) {
    await page.goto('about:blank')
    const from = performance.now()
    await page.goto(`${url}#/${place}`, { waitUntil: 'commit' })
    await page.locator('.status .figure').first().waitFor()
    const shown = performance.now() - from
    const paint = `performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0`
    times.push([await page.evaluate<number>(paint), shown])
  }
  const median = (values: number[]): number => Math.round(values.sort((a, b) => a - b)[2]!)
  return [median(times.map(([paint]) => paint)), median(times.map(([, shown]) => shown))]
}

/** Writes and takes as many entries as it can for a while. Returns how many. */
async function workIn(space: Space): Promise<number> {
  const Work = defineEntry<{ n: number }>('Work')
  const end = performance.now() + ROUND_MS
  let done = 0
  const work = async (n: number): Promise<void> => {
    while (performance.now() < end) {
      await space.write(Work({ n }))
      await space.take(Work.template({ n }))
      done++
    }
  }
  await Promise.all(Array.from({ length: 32 }, (_, n) => work(n)))
  return done
}

/** The throughput with a dashboard that somebody watches, of that without: in turns, since machines have moods. */
async function throughputShare(redis: Redis, page: Page): Promise<number> {
  const space = await openSpace(redis.url, { name: 'large' })
  const shares: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const without = await workIn(space)
    const room = await openRoom(redis, 'large')
    await goTo(page, room.url, 'overview')
    const between = await workIn(space)
    await page.goto('about:blank')
    await room.close()
    shares.push((2 * between) / (without + (await workIn(space))))
  }
  await space.close()
  return shares.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!
}

/** Prints a line for each figure. */
export async function measureLarge(entries: number): Promise<void> {
  const redis = await startRedis()
  const filler = await openSpace(redis.url, { name: 'large' })
  await fill(filler, entries)
  const room = await openRoom(redis, 'large', { rights: ALL_RIGHTS })
  const browser = await startBrowser()
  const lines = [`${entries} entries, ${LETTERS} dead letters`]
  const calls = async (name: string): Promise<number> => {
    const found = await batchesOf(redis, room.space.presence)
    lines.push(`${name}: ${found.toFixed(1)} calls of the dashboard a second`)
    return found
  }
  try {
    const page = await browser.context.newPage()
    for (const place of ['overview', 'dead', 'entries?kind=Item']) {
      const [paint, shown] = await timesOf(page, room.url, place)
      lines.push(`${place}: first paint after ${paint} ms, numbers after ${shown} ms`)
    }
    const stop = pretendProcesses(filler)
    await goTo(page, room.url, 'processes')
    const areShown = async () => (await page.locator('.status').textContent())?.includes(`${PROCESSES} processes`)
    await until(async () => (await areShown()) === true, 'all processes are shown')
    const one = await calls(`one tab, ${PROCESSES} processes`)
    const tabs = await Promise.all(Array.from({ length: 19 }, () => browser.context.newPage()))
    for (const tab of tabs) await goTo(tab, room.url, 'services')
    const twenty = await calls(`twenty tabs, ${PROCESSES} processes`)
    for (const tab of tabs) await tab.close()
    stop()
    const hide = `Object.defineProperty(document, 'hidden', { get: () => true })`
    await page.evaluate(`${hide}; document.dispatchEvent(new Event('visibilitychange'))`)
    const hidden = await calls('one hidden tab (history alone)')
    const other = await browser.context.newPage()
    const share = await throughputShare(redis, other)
    lines.push(`throughput with a dashboard in view, of that without: ${(100 * share).toFixed(1)} %`)
    for (const line of lines) console.log(line)
    assert.ok(one <= 3, 'at most three calls a second')
    assert.ok(twenty <= 3, 'twenty tabs cost as one')
    assert.ok(hidden <= 0.5, 'a hidden tab is sent nothing')
  } finally {
    await browser.close()
    await room.close()
    await filler.close()
    await redis.stop()
  }
}
