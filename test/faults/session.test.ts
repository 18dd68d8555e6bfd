/** Promise 3: what a taker held when it died is back in the space, and what was only cut off or slow keeps what it holds. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { openSpace } from '../../src/open.js'
import { type HeldRequest, serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, isLong, report, spread } from './form.js'
import { creditOf, hold, OK, outcomeOf, send } from './requests.js'

const Task = defineEntry<{ n: number }>('Task')

let redis: Redis
let link: Link
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  link = await startLink(redis.port)
})
afterAll(async () => {
  await link.close()
  await redis.stop()
})

/** What a test that fails half-way has left open must not be the next one's. */
const spaces: Space[] = []
const children: Process[] = []
afterEach(async () => {
  redis.resume()
  link.heal()
  await link.accept()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(spaces.splice(0).map((space) => space.close()))
})

const open = async (url: string): Promise<Space> => {
  const space = await openSpace(url)
  spaces.push(space)
  return space
}

const child = (name: string, ...args: string[]): Process => {
  const started = startProcess([fileURLToPath(new URL(`children/${name}.js`, import.meta.url)), redis.url, ...args])
  children.push(started)
  return started
}

/** Stopped by SIGSTOP, as ps has it: from then on it reads nothing. */
async function freeze(process: Process): Promise<void> {
  process.kill('SIGSTOP')
  const state = (): string => execFileSync('ps', ['-o', 'stat=', '-p', String(process.pid)], { encoding: 'utf8' })
  await until(() => state().startsWith('T'), `process ${process.pid} is frozen`)
}

async function killed(process: Process): Promise<void> {
  process.kill('SIGKILL')
  expect(await process.exited).toEqual({ code: null, signal: 'SIGKILL' })
}

async function ended(process: Process): Promise<void> {
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
}

/** Writes and takes as fast as answers come, until it is told to stop. */
function traffic(space: Space): { stop(): Promise<void> } {
  const Noise = defineEntry<{ n: number }>('Noise')
  let going = true
  const run = (async () => {
    for (let n = 0; going; n++) {
      await space.write(Noise({ n }))
      await space.takeIfExists(Noise.template({ n }))
    }
  })()
  return {
    stop() {
      going = false
      return run
    },
  }
}

describe('what a killed process held is taken by one that waits', () => {
  async function timesToRecover(rounds: number, busy: boolean): Promise<number[]> {
    const space = await open(redis.url)
    const noise = busy ? traffic(space) : undefined
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const holder = child('holder', '1')
      await holder.line(/ready/)
      const sent = send(space, `/round/${round}`, { repeatable: true })
      await holder.line(/holds/)
      let since = 0
      const serving = await serveRequests(space, 'web', 1, (taken) => {
        times.push(performance.now() - since)
        void taken.complete(OK)
      })
      since = performance.now()
      await killed(holder)
      expect(await outcomeOf(sent)).toBe('200')
      await serving.stop()
    }
    await noise?.stop()
    await space.close()
    return times
  }

  test('within two seconds when all is idle', async () => {
    const { most, ...rest } = spread(await timesToRecover(form(3, 20), false))
    report('held by a killed process, found again (idle), ms', { most, ...rest })
    expect(most).toBeLessThan(form(2_000, 1_000))
    await nothingIsLeft(redis)
  })

  test('within two seconds under traffic', async () => {
    const { most, ...rest } = spread(await timesToRecover(form(3, 20), true))
    report('held by a killed process, found again (traffic), ms', { most, ...rest })
    expect(most).toBeLessThan(form(2_000, 500))
    await nothingIsLeft(redis)
  })

  test('but one that may not be run again is not, and its requester is told', async () => {
    const space = await open(redis.url)
    const holder = child('holder', '1')
    await holder.line(/ready/)
    const sent = send(space, '/once', { repeatable: false })
    await holder.line(/holds/)
    const other = await hold(space, 1)
    await killed(holder)
    expect(await outcomeOf(sent)).toBe('WORKER_LOST')
    expect(other.held).toEqual([])
    await space.close()
    await nothingIsLeft(redis)
  })
})

test('an entry that was on its way to a waiting take when its process was killed goes to the next that waits', async () => {
  const space = await open(redis.url)
  for (let n = 0; n < form(3, 20); n++) {
    const waiter = child('waiter', '1')
    await waiter.line(/waiting/)
    await freeze(waiter)
    await space.write(Task({ n }))
    // The fault hit: it was handed to the frozen process, so nobody else finds it.
    expect(await space.readIfExists(Task)).toBeNull()
    const next = space.take(Task, { waitMs: 10_000 })
    await killed(waiter)
    expect(await next).toEqual({ n })
    expect(waiter.output()).not.toMatch(/took/)
  }
  await space.close()
  await nothingIsLeft(redis)
})

test('of a process killed while entries stream to it, each is either taken or still there, and none is both', async () => {
  const TAKES = 8
  const space = await open(redis.url)
  let n = 0
  let hits = 0
  let rounds = 0
  let lost = 0
  while (hits < form(2, 20)) {
    rounds++
    const waiter = child('waiter', String(TAKES), 'again')
    const [, session] = await waiter.line(/waiting as (\S+)/)
    const first = n
    let writing = true
    const writes = (async () => {
      while (writing) await Promise.all(Array.from({ length: TAKES }, () => space.write(Task({ n: n++ }))))
    })()
    const enough = 100 + Math.floor(Math.random() * 100)
    await until(() => n - first > enough, 'entries stream')
    await killed(waiter)
    writing = false
    await writes
    // The fault hit: it died holding something that it had not acknowledged.
    if (Number(await redis.cli('SCARD', `{ts:default}:c${session}`)) > 1) hits++
    const seen = [...waiter.output().matchAll(/took (\d+)\n/g)].map(([, taken]) => Number(taken))
    await until(async () => {
      for (let task = await space.takeIfExists(Task); task; task = await space.takeIfExists(Task)) seen.push(task.n)
      return (await redis.cli('HLEN', '{ts:default}:e')) === '0'
    }, 'no entry is held by the dead')
    expect(new Set(seen).size).toBe(seen.length)
    // A take is final when its promise resolves: what the process was just about to say counts as taken.
    lost += n - first - seen.length
    expect(n - first - seen.length).toBeLessThanOrEqual(TAKES)
  }
  report('killed while entries stream to it', {
    rounds,
    'holding something': hits,
    entries: n,
    'taken and not said': lost,
  })
  await space.close()
  await nothingIsLeft(redis)
})

test('a worker whose connection is cut for 50 ms loses nothing, runs nothing twice, and keeps its credit', async () => {
  const CONCURRENCY = 4
  const space = await open(redis.url)
  const worker = await open(link.url)
  const runs = new Map<string, number>()
  const held: HeldRequest[] = []
  let atOnce = 0
  let most = 0
  const serving = await serveRequests(worker, 'web', CONCURRENCY, async (taken) => {
    const { target } = taken.request
    if (target.startsWith('/credit')) {
      held.push(taken)
      return
    }
    most = Math.max(most, ++atOnce)
    if (await taken.start()) {
      runs.set(target, (runs.get(target) ?? 0) + 1)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // What comes next may overtake the answer to this completion, whose credit it uses.
    atOnce--
    await taken.complete(OK)
  })

  const outcomes: Promise<string>[] = []
  let cuts = 0
  let busyCuts = 0
  let sending = true
  const load = (async () => {
    for (let n = 0; sending; n++) {
      outcomes.push(outcomeOf(send(space, `/cut/${n}`, { repeatable: false })))
      await new Promise((resolve) => setTimeout(resolve, 8))
    }
  })()
  while (cuts < form(15, 200)) {
    const before = outcomes.length
    const isBack = (): boolean => link.connections > 0 && runs.size > cuts && outcomes.length > before + 8
    await until(() => isBack() && atOnce > 0, 'the worker is at work')
    if (atOnce > 0) busyCuts++
    cuts++
    await link.refuse()
    link.cut()
    // The fault's own length.
    await new Promise((resolve) => setTimeout(resolve, 50))
    await link.accept()
  }
  sending = false
  await load
  const all = await Promise.all(outcomes)
  report('connection cut for 50 ms', {
    cuts,
    busyCuts,
    requests: all.length,
    others: all.filter((o) => o !== '200').length,
  })
  expect(busyCuts).toBeGreaterThan(cuts / 2)
  expect([...runs].filter(([, times]) => times > 1)).toEqual([])
  expect(all.filter((outcome) => outcome !== '200')).toEqual([])
  expect(most).toBeLessThanOrEqual(CONCURRENCY)
  expect(await creditOf(worker, space, 'web', CONCURRENCY, held)).toBe(CONCURRENCY)
  await serving.stop()
  await worker.close()
  await space.close()
  await nothingIsLeft(redis)
})

test('a worker that answers while its connection is away has all its credit when it is back', async () => {
  const space = await open(redis.url)
  const worker = await open(link.url)
  const holder = await hold(worker, 2)
  const answers = [1, 2].map((n) => outcomeOf(send(space, `/away/${n}`, { repeatable: true })))
  await until(() => holder.held.length === 2, 'the worker holds both')
  await link.refuse()
  link.cut()
  const completed = holder.held.splice(0).map((taken) => taken.complete(OK))
  await link.accept()
  expect(await Promise.all(completed)).toEqual([true, true])
  expect(await Promise.all(answers)).toEqual(['200', '200'])
  expect(await creditOf(worker, space, 'web', 2, holder.held)).toBe(2)
  await holder.stop()
  await worker.close()
  await space.close()
  await nothingIsLeft(redis)
})

test('an offer whose answer is lost stands when the connection is back', async () => {
  const space = await open(redis.url)
  const worker = await open(link.url)
  link.dropReplies()
  const offered = hold(worker, 1)
  const { lost } = link
  await until(() => link.lost > lost, 'a reply is lost')
  link.heal()
  const holder = await offered
  const answer = outcomeOf(send(space, '/offered', { repeatable: true }))
  await until(() => holder.held.length === 1, 'it is handed a request')
  await holder.held[0]?.complete(OK)
  expect(await answer).toBe('200')
  await holder.stop()
  await worker.close()
  await space.close()
  await nothingIsLeft(redis)
})

test('an offer is ended although the answer to that is lost', async () => {
  const worker = await open(link.url)
  const holder = await hold(worker, 1)
  link.dropReplies()
  const { lost } = link
  const stopped = holder.stop()
  await until(() => link.lost > lost, 'a reply is lost')
  link.heal()
  await stopped
  await worker.close()
  await nothingIsLeft(redis)
})

test('what may not be run twice is not, although Redis was away until its worker gave up answering', async () => {
  const space = await open(redis.url)
  const worker = await open(redis.url)
  const holder = await hold(worker, 1)
  const answer = outcomeOf(send(space, '/started', { repeatable: false }))
  await until(() => holder.held.length === 1, 'the worker holds it')
  const [taken] = holder.held as [HeldRequest]
  expect(await taken.start()).toBe(true)
  await redis.kill()
  // Nobody is buried by a restart: so the session is the same one when the worker is back.
  const outcome = await taken.complete(OK).then(String, (error) => (isSpaceError(error) ? error.code : String(error)))
  expect(outcome).toMatch(/UNKNOWN|UNREACHABLE/)
  await redis.restart()
  expect(await answer).toBe('WORKER_LOST')
  expect(holder.held).toEqual([taken])
  holder.held.length = 0
  expect(await creditOf(worker, space, 'web', 1, holder.held)).toBe(1)
  await holder.stop()
  await worker.close()
  await space.close()
  await nothingIsLeft(redis)
})

test('a take whose last answer is lost together with its session is not lost in silence', async () => {
  const space = await open(redis.url)
  const taker = await open(link.url)
  await space.write(Task({ n: 7 }))
  // The answer to a take's acknowledgement is one letter, k, and the clock.
  const dropped = link.dropNextReplyThenCut((bytes) => bytes.includes('\r\nk\r\n'))
  const take = taker.take(Task, { waitMs: 3_000 }).then(
    (task) => task,
    (error) => (isSpaceError(error) ? error.code : String(error)),
  )
  await dropped
  await link.refuse()
  const session = `{ts:default}:s${taker.presence}`
  await until(async () => (await redis.cli('EXISTS', session)) === '0', 'the space has given the session up')
  await link.accept()
  const got = await take
  const stillThere = await space.takeIfExists(Task)
  // Exactly one of: it has it, it is still there; or its caller is told that nobody knows.
  if (got === null) expect(stillThere).toEqual({ n: 7 })
  else if (got === 'OUTCOME_UNKNOWN') expect(stillThere).toBeNull()
  else expect([got, stillThere]).toEqual([{ n: 7 }, null])
  await taker.close()
  await space.close()
  await nothingIsLeft(redis)
})

const longTest = isLong ? test : test.skip

longTest(
  'a process that was frozen for longer than its lease is refused when it wakes up',
  async () => {
    const space = await open(redis.url)
    for (const repeatable of [true, false]) {
      const sleeper = child('holder', '1')
      await sleeper.line(/ready/)
      const answer = outcomeOf(send(space, '/frozen', { repeatable }))
      await sleeper.line(/holds/)
      const other = await hold(space, 1)
      const since = performance.now()
      await freeze(sleeper)
      if (repeatable) {
        await until(() => other.held.length === 1, 'another worker has it')
        expect(other.held[0]?.attempt).toBe(2)
        report('held by a frozen process, found again, ms', { after: Math.round(performance.now() - since) })
      } else expect(await answer).toBe('WORKER_LOST')
      sleeper.kill('SIGCONT')
      sleeper.kill('SIGUSR2')
      await sleeper.line(/accepted false/)
      await sleeper.line(/lost/)
      if (repeatable) expect(await other.held[0]?.complete(OK)).toBe(true)
      expect(await answer).toBe(repeatable ? '200' : 'WORKER_LOST')
      expect(other.held).toHaveLength(repeatable ? 1 : 0)
      await other.stop()
      await ended(sleeper)
    }
    await space.close()
    await nothingIsLeft(redis)
  },
  90_000,
)

failOnLeaks()
