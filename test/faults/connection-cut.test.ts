/** Promise 3: a worker or taker whose connection is cut for a while loses nothing, and keeps its credit. */
import { expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { type HeldRequest, serveRequests } from '../../src/request.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, report } from './form.js'
import { link, open, redis } from './opened.js'
import { creditOf, hold, OK, outcomeOf, send } from './requests.js'

const Task = defineEntry<{ n: number }>('Task')
/** For so long the space waits for a process whose connections are gone (GRACE_MS of presence.lua). */
const GRACE_MS = 250

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
  /** Cuts after which the worker was away for longer than the space waits: only a busy machine makes these. */
  let longCuts = 0
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
    const since = performance.now()
    link.cut()
    // The fault's own length.
    await new Promise((resolve) => setTimeout(resolve, 50))
    await link.accept()
    const { size } = runs
    await until(() => link.connections > 0 && runs.size > size, 'the worker takes again')
    if (performance.now() - since >= GRACE_MS) longCuts++
  }
  sending = false
  await load
  const all = await Promise.all(outcomes)
  report('connection cut for 50 ms', {
    cuts,
    busyCuts,
    longCuts,
    requests: all.length,
    others: all.filter((o) => o !== '200').length,
  })
  expect(busyCuts).toBeGreaterThan(cuts / 2)
  expect([...runs].filter(([, times]) => times > 1)).toEqual([])
  const lost = all.filter((outcome) => outcome !== '200')
  expect(new Set(lost)).toEqual(new Set(longCuts > 0 && lost.length > 0 ? ['WORKER_LOST'] : []))
  expect(lost.length).toBeLessThanOrEqual(longCuts * CONCURRENCY)
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
  const session = `{ts:default}:presence:${taker.presence}`
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

failOnLeaks()
