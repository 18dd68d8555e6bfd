/** Promises 4 and 8: Redis is killed, frozen and flushed of its functions under load; what it had accepted is answered afterwards. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Load, startLoad } from '../support/load.js'
import { entriesIn, type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, LONG_SECONDS, spread } from './form.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

const GETS_PER_SECOND = form(50, 100)
const PREFIX = '{ts:default}:'

let redis: Redis
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, appendfsync: 'always' })
})
afterEach(async () => {
  redis.resume()
  await system?.destroy()
})
afterAll(() => redis.stop())

/** Nobody ended or was replaced. */
function nobodyRestarted(running: System, workers: number): void {
  expect(running.workers()).toHaveLength(workers)
  expect(running.readied).toBe(workers)
}

/** The answer to a request that is sent now. */
async function statusNow(running: System, method = 'GET'): Promise<number> {
  return (await fetch(`${running.url}/now`, { method })).status
}

function twice(running: System): [string, number][] {
  const times = new Map<string, number>()
  for (const { url } of running.runs()) times.set(url, (times.get(url) ?? 0) + 1)
  return [...times].filter(([url, n]) => n > 1 && url !== '/now')
}

/** A second client beside the one that is watched: what may not run twice does not either. */
const startPosts = (running: System, perSecond: number): Load =>
  startLoad(running.url, { perSecond, method: 'POST', path: (n) => `/post/${n}` })

test('requests in the space when Redis was killed are answered after its restart', async () => {
  const running = await startSystem(redis, { processes: 2, concurrency: 2 })
  system = running
  // 40 at once on 4 places of 300 ms: most of them wait in the space when it dies.
  const load = startLoad(running.url, { perSecond: 10_000, method: 'GET', path: (n) => `/waiting/${n}?ms=300` })
  await until(() => load.sent >= 40, '40 are on their way')
  const answers = load.stop()
  await until(async () => (await entriesIn(redis)) === load.sent - load.answers.length, 'all are in the space')
  await until(() => running.runs().length >= 4, 'four of them run')
  const inSpace = await entriesIn(redis)
  await redis.kill()
  // The fault hit: those that run end while Redis is away.
  await until(() => running.runs().filter(({ ended }) => ended !== undefined).length >= 4, 'their handlers end')
  await redis.restart()
  const all = await answers
  tell('Redis killed with requests in it', verdictOf(all, running.runs()), `${inSpace} requests in the space`)
  expect(inSpace).toBeGreaterThan(20)
  expect(all.filter(({ status }) => status !== 200)).toEqual([])
  expect(twice(running)).toEqual([])
  nobodyRestarted(running, 2)
  await running.drain()
})

test('under load, kill -9 of Redis and its restart: each request is answered or refused, and nobody needs a restart', async () => {
  const running = await startSystem(redis, { processes: 2 })
  system = running
  const gets = startLoad(running.url, { perSecond: GETS_PER_SECOND, method: 'GET', path: (n) => `/get/${n}` })
  const posts = startPosts(running, 50)
  const kills = form(1, Math.max(1, Math.round(LONG_SECONDS / 3)))
  const backAfter: number[] = []
  for (let i = 0; i < kills; i++) {
    const enough = gets.answers.length + 50
    await until(() => gets.answers.length >= enough, 'requests are answered')
    await redis.kill()
    // New ones meanwhile; the last time for longer than the space is waited for.
    const meanwhile = posts.sent + form(20, i === kills - 1 ? 400 : 60)
    await until(() => posts.sent >= meanwhile, 'requests come while Redis is away')
    await redis.restart()
    const since = performance.now()
    await until(async () => (await statusNow(running)) === 200, 'requests are answered again')
    backAfter.push(performance.now() - since)
  }
  const got = await gets.stop()
  const posted = await posts.stop()
  const back = spread(backAfter)
  const verdict = verdictOf([...got, ...posted], running.runs())
  tell(`Redis killed under load, ${kills} times`, verdict, `serving ${back.most} ms after its return`)
  // Refused, or waited for within the deadline.
  expect(got.filter(({ status }) => status !== 200 && status !== 503)).toEqual([])
  // 502 where nobody can know whether it ran.
  expect(posted.filter(({ status }) => ![200, 502, 503].includes(status))).toEqual([])
  for (const { status, text } of posted) if (status === 502) expect(text).toMatch(/OUTCOME_UNKNOWN|WORKER_LOST/)
  // The fault hit: some were sent while it was away, and were refused or had to wait.
  expect(posted.filter(({ status, ms }) => status !== 200 || ms > 200).length).toBeGreaterThan(kills)
  expect(twice(running).filter(([url]) => url.startsWith('/post'))).toEqual([])
  const ran = new Set(running.runs().map(({ url }) => url))
  expect(posted.filter(({ url, status }) => status === 503 && ran.has(url))).toEqual([])
  nobodyRestarted(running, 2)
  await running.drain()
})

test('processes that die while Redis is away are handed nothing after its restart', async () => {
  const running = await startSystem(redis, { processes: 1, concurrency: 4 })
  system = running
  // With its supervisor, who would tell of its death.
  const others = await startSystem(redis, { processes: 1, concurrency: 64 })
  const presences = async (): Promise<string[]> =>
    (await redis.cli('ZRANGE', `${PREFIX}presences`, '0', '-1')).split('\n').filter((each) => each !== '')
  const before = await presences()
  await redis.kill()
  await others.destroy()
  await redis.restart()
  const load = startLoad(running.url, { perSecond: 10_000, method: 'GET', path: (n) => `/after/${n}?ms=10`, most: 100 })
  await until(() => load.answers.length === 100, 'all are answered')
  expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([])
  const dead: string[] = []
  for (const presence of before) {
    const subscribers = await redis.cli('PUBSUB', 'SHARDNUMSUB', `${PREFIX}pushes:${presence}`)
    if (subscribers.endsWith('0')) dead.push(presence)
  }
  // Gateway and worker, whose leases were not waited for.
  expect(dead.length).toBeGreaterThanOrEqual(2)
  expect(await presences()).toEqual(expect.arrayContaining(dead))
  // Instead of waiting for them now.
  await using space = await openSpace(redis.url)
  for (const presence of dead) await space.declareDead(presence)
  await space.close()
  await running.drain()
})

/** A client waits 5 s for Redis (docs/reliability.md); less what it takes to notice. */
const WAITED_FOR_MS = 3_000

test('under load, while Redis is frozen requests wait or are refused, and no POST runs twice', async () => {
  const running = await startSystem(redis, { processes: 2 })
  system = running
  const gets = startLoad(running.url, { perSecond: GETS_PER_SECOND, method: 'GET', path: (n) => `/get/${n}` })
  const posts = startPosts(running, 50)
  // 2 s are less than what a client of Redis waits for an answer; 4 s are more, so links are given up and made anew.
  let longestMs = 0
  for (const seconds of form([2], [2, 4, 6])) {
    const enough = gets.answers.length + 50
    await until(() => gets.answers.length >= enough, 'requests are answered')
    const since = performance.now()
    redis.pause()
    const meanwhile = gets.sent + seconds * 100
    await until(() => gets.sent >= meanwhile, 'requests come while Redis is frozen')
    redis.resume()
    longestMs = Math.max(longestMs, performance.now() - since)
    await until(async () => (await statusNow(running)) === 200, 'requests are answered again')
  }
  const got = await gets.stop()
  const posted = await posts.stop()
  const seconds = form('2 s', '2, 4 and 6 s')
  tell(
    `Redis frozen for ${seconds}`,
    verdictOf([...got, ...posted], running.runs()),
    'requests waited for over a second',
  )
  expect(got.filter(({ status }) => status !== 200 && status !== 503)).toEqual([])
  expect(posted.filter(({ status }) => ![200, 502, 503].includes(status))).toEqual([])
  // So short an absence is waited for. On a busy machine it is longer.
  if (longestMs < WAITED_FOR_MS) expect([...got, ...posted].filter(({ status }) => status !== 200)).toEqual([])
  expect(spread(got.map(({ ms }) => ms)).most).toBeGreaterThan(1_000)
  expect(twice(running).filter(([url]) => url.startsWith('/post'))).toEqual([])
  const ran = new Set(running.runs().map(({ url }) => url))
  expect(posted.filter(({ url, status }) => status === 503 && ran.has(url))).toEqual([])
  nobodyRestarted(running, 2)
  await running.drain()
})

test('under load, functions that somebody flushed are loaded again, and no client notices', async () => {
  const running = await startSystem(redis, { processes: 2 })
  system = running
  const gets = startLoad(running.url, { perSecond: GETS_PER_SECOND, method: 'GET', path: (n) => `/get/${n}` })
  const posts = startPosts(running, 100)
  const flushes = form(3, 50)
  for (let i = 0; i < flushes; i++) {
    const enough = gets.answers.length + 15
    await until(() => gets.answers.length >= enough, 'requests are answered')
    expect(await redis.cli('FUNCTION', 'FLUSH')).toBe('OK')
    await until(async () => (await redis.cli('FUNCTION', 'LIST')).includes('takespace_'), 'the library is there again')
  }
  const all = [...(await gets.stop()), ...(await posts.stop())]
  tell(`functions flushed, ${flushes} times`, verdictOf(all, running.runs()), `loaded again ${flushes} times`)
  expect(all.filter(({ status }) => status !== 200)).toEqual([])
  expect(twice(running)).toEqual([])
  nobodyRestarted(running, 2)
  await running.drain()
})

failOnLeaks()
