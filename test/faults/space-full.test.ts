/** A full server, and a full space: writes are refused, what waits is worked off, and writes go on when there is room. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { DEAD_LETTER } from '../../src/engine.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { createWorker, currentRequest } from '../../workers/index.js'
import { violations } from '../support/invariants.js'
import { Other, Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { entriesIn, type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, LEASE_MS, LONG_SECONDS, report, spread } from './form.js'
import { OK } from './requests.js'
import { type System, startSystem } from './system.js'
import { row } from './table.js'

const SECONDS = form(1, LONG_SECONDS)
const Probe = defineEntry('Probe')
const FULL = { code: 'SPACE_FULL' }
const LARGE = 20_000

let redis: Redis
let system: System | undefined
let spaces: Space[] = []
let names = 0
beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await room(true)
  await Promise.all(spaces.map((space) => space.close()))
  spaces = []
  await system?.destroy()
})
afterAll(() => redis.stop())

/** The server takes more, or is at its maxmemory; asked about at most every 100 ms, which is part of the promise. */
const room = (is: boolean): Promise<string> => redis.cli('CONFIG', 'SET', 'maxmemory', is ? '0' : '1')

async function open(maxBytes?: number): Promise<{ space: Space; other: Space; name: string }> {
  const name = `full${++names}`
  const [space, other] = [await openSpace(redis.url, { name, maxBytes }), await openSpace(redis.url, { name })]
  spaces.push(space, other)
  return { space, other, name }
}

/** A write is refused for the first time. */
const isFull = (space: Space): Promise<void> =>
  until(
    () =>
      space.write(Probe({})).then(
        () => false,
        (error) => error.code === 'SPACE_FULL',
      ),
    'the space is full',
  )

test('maxmemory under load: 503 with Retry-After, what waits is worked off, writes go on unaided; nothing lost, nothing twice', async () => {
  const running = await startSystem(redis, { processes: 2, concurrency: 4 })
  system = running
  // More than the workers can do, a tenth of it with answers that need a key of their own.
  const path = (n: number): string => (n % 10 === 0 ? `/${n}?bytes=${LARGE}` : `/${n}`)
  const load = startLoad(running.url, { perSecond: 220, method: 'POST', path })
  const numberOf = (url: string): number => Number(/\d+/.exec(url))
  const waiting = async (): Promise<number> => Number(await redis.cli('ZCARD', '{ts:default}:free@takespace.Request'))
  const entries = (): Promise<number> => entriesIn(redis)

  const backlogs: number[] = []
  const drains: number[] = []
  const resumptions: number[] = []
  const times: (readonly [number, number])[] = []
  const end = performance.now() + SECONDS * 1_000
  do {
    await until(async () => (await waiting()) > 20, 'more waits than is worked on')
    const before = { refused: load.answers.filter(({ status }) => status === 503).length, full: Date.now() }
    await room(false)
    const began = performance.now()
    await until(
      () => load.answers.filter(({ status }) => status === 503).length > before.refused,
      'a client is told 503',
    )
    backlogs.push(await waiting())
    await until(async () => (await entries()) === 0, 'what waits is worked off')
    drains.push(Math.round(performance.now() - began))
    times.push([before.full, Date.now()])
    await room(true)
    const raised = performance.now()
    const since = load.sent
    await until(
      () => load.answers.some(({ status, url }) => status === 200 && numberOf(url) >= since),
      'a request is answered again',
    )
    resumptions.push(Math.round(performance.now() - raised))
    await pause(form(0, 500))
  } while (performance.now() < end)
  const answers = await load.stop()

  const runs = new Map<string, number>()
  for (const { url } of running.runs()) runs.set(url, (runs.get(url) ?? 0) + 1)
  const refused = answers.filter(({ status }) => status === 503)
  const others = answers.filter(({ status }) => status !== 200 && status !== 503)
  const whileFull = running
    .runs()
    .filter(({ url, ended = 0 }) => /bytes/.test(url) && times.some(([from, to]) => ended > from && ended < to))
  const [longest, twice] = [
    spread(answers.filter(({ status }) => status === 200).map(({ ms }) => ms)).most,
    [...runs.values()].filter((n) => n > 1).length,
  ]
  row('`maxmemory` reached', {
    requests: answers.length,
    failed: refused.length + others.length,
    twice,
    longestMs: longest,
    hits: `${times.length} times, with ${refused.length} refused`,
  })
  report('maxmemory', {
    requests: answers.length,
    refused: refused.length,
    'other failures': others.length,
    times: times.length,
    'waited then': spread(backlogs).most,
    'worked off within ms': spread(drains).most,
    'writes again within ms': spread(resumptions).most,
    'large answers while full': whileFull.length,
    'run twice': twice,
    'longest wait of an answer ms': longest,
  })
  expect(others).toEqual([])
  for (const { url, status, text, retryAfter } of answers) {
    expect([url, runs.get(url) ?? 0]).toEqual([url, status === 200 ? 1 : 0])
    if (status === 503) expect([text, Number(retryAfter)]).toEqual([expect.stringContaining('SPACE_FULL'), 1])
    else expect([url, text.length >= (/bytes/.test(url) ? LARGE : 1)]).toEqual([url, true])
  }
  expect(Math.max(...backlogs)).toBeGreaterThan(0)
  expect(whileFull.length).toBeGreaterThan(0)
  expect(Math.max(...resumptions)).toBeLessThan(form(LEASE_MS, 1_000))
  await running.drain()
})

test.each([
  ['small', 10],
  ['large', LARGE],
])(
  'a commit that brings a %s write with it is refused at maxmemory, nothing of it is seen, and it can be aborted',
  async (_what, size) => {
    const { space, other, name } = await open()
    await space.write(Task({ id: 'in' }))
    await room(false)
    await isFull(other)
    const tx = await space.begin()
    await space.take(Task, { tx })
    void space.write(Other({ id: 'o'.repeat(size) }), { tx })
    await expect(tx.commit()).rejects.toMatchObject(FULL)
    expect(await other.takeIfExists(Other)).toBeNull()
    expect(await other.takeIfExists(Task)).toBeNull()
    await until(async () => (await violations(redis, name)).length === 0, 'nothing is left of it')
    await tx.abort()
    expect(await other.takeIfExists(Task)).toEqual({ id: 'in' })
    expect(await other.takeIfExists(Other)).toBeNull()
  },
)

test.each([
  ['small', 10],
  ['large', LARGE],
])('and it can be committed when there is room again, with a %s write', async (_what, size) => {
  const { space, other, name } = await open()
  await space.write(Task({ id: 'in' }))
  await room(false)
  await isFull(other)
  const tx = await space.begin()
  await space.take(Task, { tx })
  void space.write(Other({ id: 'o'.repeat(size) }), { tx })
  await expect(tx.commit()).rejects.toMatchObject(FULL)
  await room(true)
  await until(
    () =>
      tx.commit().then(
        () => true,
        () => false,
      ),
    'it is committed',
  )
  expect(await other.takeIfExists(Other)).toEqual({ id: 'o'.repeat(size) })
  expect(await other.takeIfExists(Task)).toBeNull()
  expect(await violations(redis, name)).toEqual([])
})

test('what a handler has written finds no room: its client is told 500, and nothing of it is so', async () => {
  const { space, other } = await open()
  const worker = createWorker({
    space: other,
    app: async (_req, res) => {
      await other.write(Task({ id: 'out' }), { tx: currentRequest().transaction })
      await room(false)
      await isFull(space)
      res.end('done')
    },
  })
  await worker.start()
  const response = await createClient({ space }).fetch('/', { timeoutMs: 10_000 })
  expect(response.status).toBe(500)
  expect(await space.takeIfExists(Task)).toBeNull()
  await worker.stop()
})

test('the bytes of large bodies are counted as long as they stand, whichever way they go', async () => {
  const { space, other, name } = await open(1_000_000)
  const large = (id: string) => Task({ id, note: 'x'.repeat(LARGE) })
  const counted = async (): Promise<number> => Number(await redis.cli('HLEN', `{ts:${name}}:body-bytes`))
  const gone = async (): Promise<void> => {
    await until(async () => (await counted()) === 0, 'none is counted')
    expect(await violations(redis, name)).toEqual([])
  }
  const written = async (n: number): Promise<void> => {
    expect(await counted()).toBe(n)
    expect(await violations(redis, name)).toEqual([])
  }
  // One that is not bounded counts, too.
  await other.write(large('taken'))
  await written(1)
  await space.take(Task)
  await gone()
  const waiting = other.take(Task)
  await space.write(large('waited for'))
  await waiting
  await gone()
  const lease = await space.write(large('cancelled'))
  await lease.cancel()
  await gone()
  await space.write(large('ends'), { leaseMs: 200 })
  await gone()
  await space.transact(async (tx) => {
    await space.write(large('committed'), { tx })
    await other.takeIfExists(Task)
  })
  await written(1)
  await other.transact(async (tx) => void (await other.take(Task, { tx })))
  await gone()
  const tx = await space.begin()
  await space.write(large('aborted'), { tx })
  await tx.abort()
  await gone()

  const { id } = await space.write(large('set aside'))
  await other.engine.deadLetter(id, 'tried')
  await written(1)
  const letters = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
  await other.engine.find({ template: letters, take: true, waitMs: 0 })
  await gone()

  const body = { method: 'POST', body: 'x'.repeat(LARGE) }
  const serving = await serveRequests(other, 'web', 1, async (taken) => void (await taken.complete(OK)))
  await createClient({ space }).fetch('/', body)
  await gone()
  await serving.stop()
  const withdrawn = new AbortController()
  const asked = createClient({ space }).fetch('/', { ...body, signal: withdrawn.signal })
  await until(async () => (await counted()) === 1, 'it is written')
  withdrawn.abort()
  await expect(asked).rejects.toThrow()
  await gone()

  // Somebody who counts nothing has removed it.
  const lost = await space.write(large('lost'))
  await redis.cli('UNLINK', `{ts:${name}}:body:${lost.id}`)
  await expect(space.writeAll(Array.from({ length: 60 }, () => large('over')))).rejects.toMatchObject(FULL)
  expect(await counted()).toBe(0)
  await lost.cancel()
  await gone()

  // What was refused is not counted.
  await expect(space.writeAll(Array.from({ length: 60 }, () => large('over')))).rejects.toMatchObject(FULL)
  await gone()
})

failOnLeaks()
