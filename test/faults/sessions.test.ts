/**
 * Sessions over many workers: no update is lost when many requests change one session at once, and none when workers are killed or stopped.
 * Any worker serves any request; nobody is sticky.
 */
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { SpaceSessionStore } from '../../src/session/index.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { form, isLong, LONG_SECONDS, report, spread } from './form.js'
import { type System, startSystem } from './system.js'

const APP = fileURLToPath(new URL('children/session-app.js', import.meta.url))
const CLIENTS = form(20, 50)
const INCREMENTS = form(4, 100)
const SECONDS = form(3, LONG_SECONDS)
const TIMEOUT_MS = form(90_000, 300_000)
const STRIKE_EVERY_MS = form(1_000, 2_000)
const SESSIONS = 50
const PER_SECOND = form(60, 100)

let redis: Redis
let system: System | undefined
// A connection for each request: one that is kept may be closed by its server just when the next request goes out on it.
const agent = new Agent({ keepAlive: false })
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  await system?.destroy()
  await redis.cli('FLUSHALL')
})
afterAll(async () => {
  agent.destroy()
  await redis.stop()
})

interface Answer {
  readonly status: number
  readonly text: string
  readonly cookie: string | undefined
}

function get(url: string, path: string, cookie: string | undefined): Promise<Answer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const headers = cookie ? { cookie } : {}
    const req = request({ hostname, port, path, agent, headers, timeout: 30_000 }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      res.on('end', () => {
        const set = res.headers['set-cookie']?.[0]?.split(';')[0]
        resolve({ status: res.statusCode as number, text, cookie: set })
      })
      res.on('error', (error) => resolve({ status: 0, text: String(error), cookie: undefined }))
    })
    req.on('timeout', () => req.destroy(new Error('no answer')))
    req.on('error', (error) => resolve({ status: 0, text: String(error), cookie: undefined }))
    req.end()
  })
}

/** The sessions end, then the system; nothing of either is left. */
async function drained(): Promise<void> {
  await using space = await openSpace(redis.url)
  await new SpaceSessionStore({ space }).clear()
  await space.close()
  await system?.drain()
  expect(await violations(redis)).toEqual([])
}

const start = async (processes: number, policy: string): Promise<System> => {
  system = await startSystem(redis, { processes, appFile: APP, env: { SESSION_POLICY: policy } })
  return system
}

/** Each client counts its attribute so many times, one after the other, all clients at once. */
async function count(
  url: string,
  nameOf: (client: number) => string,
): Promise<{ all: Record<string, number>; answers: Answer[]; ms: number }> {
  const { cookie } = await get(url, '/add/first', undefined)
  const since = performance.now()
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const own: Answer[] = []
    for (let i = 0; i < INCREMENTS; i++) own.push(await get(url, `/add/${nameOf(client)}`, cookie))
    return own
  })
  const answers = (await Promise.all(clients)).flat()
  const ms = performance.now() - since
  return { all: JSON.parse((await get(url, '/all', cookie)).text), answers, ms }
}

const servedBy = (answers: readonly Answer[]): number => new Set(answers.map(({ text }) => text.split(' ')[1])).size

test(
  'many clients count an attribute each of one session at once, over four worker processes: no count is lost',
  async () => {
    const { url } = await start(4, 'merge')
    const { all, answers, ms } = await count(url, (client) => `a${client}`)
    const counted = Array.from({ length: CLIENTS }, (_, client) => all[`a${client}`] ?? 0)
    const sum = counted.reduce((a, b) => a + b, 0)
    report(`one session, ${CLIENTS} attributes`, {
      increments: answers.length,
      counted: sum,
      processes: servedBy(answers),
      ms: Math.round(ms),
    })
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(counted).toEqual(Array(CLIENTS).fill(INCREMENTS))
    expect(servedBy(answers)).toBe(4)
    await drained()
  },
  TIMEOUT_MS,
)

/** The short form has what is worse: counting without a lock, kill -9. */
const longTest = isLong ? test : test.skip

longTest(
  'with lock, many clients count one attribute of one session at once: no count is lost',
  async () => {
    const { url } = await start(4, 'lock')
    const { all, answers, ms } = await count(url, () => 'n')
    report('one session, one attribute, lock', {
      increments: answers.length,
      counted: all.n ?? 0,
      processes: servedBy(answers),
      ms: Math.round(ms),
    })
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(all.n).toBe(CLIENTS * INCREMENTS)
    // Each had its turn alone: no two were told the same.
    expect(new Set(answers.map(({ text }) => text.split(' ')[0])).size).toBe(answers.length)
    await drained()
  },
  TIMEOUT_MS,
)

interface Browser {
  cookie: string | undefined
  /** The highest that it was told. */
  told: number
  isBusy: boolean
  /** Answers that were no higher than what it had been told before it asked. */
  stale: number
  /** It was told 1 after something else, or had lost its cookie. */
  lost: number
}

/** 100 requests a second over 50 sessions while worker processes end, one after the other. */
async function strike(signal: NodeJS.Signals) {
  const running = await start(form(2, 3), 'merge')
  const browsers: Browser[] = Array.from({ length: SESSIONS }, () => ({
    cookie: undefined,
    told: 0,
    isBusy: false,
    stale: 0,
    lost: 0,
  }))
  const failed: Answer[] = []
  const waits: number[] = []
  const under: Promise<void>[] = []
  const ask = async (browser: Browser): Promise<void> => {
    const before = browser.told
    const since = performance.now()
    browser.isBusy = true
    const { status, text, cookie } = await get(running.url, '/add/n?fill=1', browser.cookie)
    browser.isBusy = false
    waits.push(performance.now() - since)
    if (status !== 200) {
      failed.push({ status, text, cookie })
      return
    }
    const n = Number(text.split(' ')[0])
    if (cookie && browser.cookie && cookie !== browser.cookie) browser.lost++
    if (cookie) browser.cookie = cookie
    if (n <= before) browser.stale++
    browser.told = Math.max(browser.told, n)
  }
  const began = performance.now()
  const isOver = (): boolean => performance.now() - began >= SECONDS * 1_000
  let strikes = 0
  const striking = (async () => {
    // One that is still starting is not struck: on a busy machine that makes fewer strikes, not fewer workers than two.
    for (;;) {
      await pause(STRIKE_EVERY_MS)
      if (isOver()) return
      await running.strike(signal)
      strikes++
    }
  })()
  for (let sent = 0; !isOver(); await pause(5)) {
    const due = ((performance.now() - began) / 1_000) * PER_SECOND
    for (; sent < due; sent++) {
      const browser = browsers[sent % SESSIONS]!
      // Of two that overlap and count the same attribute, `merge` keeps the last one; what is looked for here are answers of the past.
      if (!browser.isBusy) under.push(ask(browser))
    }
  }
  await striking
  await Promise.all(under)
  const lastOnes = await Promise.all(browsers.map(({ cookie }) => get(running.url, '/all', cookie)))
  const goneBack = browsers.filter(({ told }, i) => (JSON.parse(lastOnes[i]!.text).n ?? 0) < told).length
  const { most, median } = spread(waits)
  const figures = {
    requests: waits.length,
    failed: failed.length,
    strikes,
    sessions: SESSIONS,
    'gone back': goneBack,
    lost: browsers.reduce((sum, { lost }) => sum + lost, 0),
    stale: browsers.reduce((sum, { stale }) => sum + stale, 0),
    'wait p50 ms': median,
    'longest ms': most,
  }
  return { figures, failed, running }
}

test(
  'kill -9 of a worker, again and again: no GET fails, no session goes back, is lost or stale, the first update included',
  async () => {
    const { figures, failed } = await strike('SIGKILL')
    report('sessions, kill -9', figures)
    expect(failed).toEqual([])
    expect(figures).toMatchObject({ 'gone back': 0, lost: 0, stale: 0 })
    expect(figures.strikes).toBeGreaterThanOrEqual(Math.ceil((SECONDS * 1_000) / STRIKE_EVERY_MS / 4))
    await drained()
  },
  TIMEOUT_MS,
)

longTest(
  'SIGTERM of a worker, again and again: nothing fails and nothing is lost',
  async () => {
    const { figures, failed } = await strike('SIGTERM')
    report('sessions, SIGTERM', figures)
    expect(failed).toEqual([])
    expect(figures).toMatchObject({ 'gone back': 0, lost: 0, stale: 0 })
    await drained()
  },
  TIMEOUT_MS,
)

failOnLeaks()
