/** Promise 4: a gateway that was taken for dead, and is not, has an answer for each of its clients at once, and not at their deadlines. */
import { expect, test } from '@jest/globals'
import { violations } from '../support/invariants.js'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { hold, OK, outcomeOf, send } from './requests.js'

const at = overLink({ appendonly: true })

/** The far one has been given up: what is told to it from now on reaches nobody. */
const givenUp = (): Promise<void> =>
  until(async () => {
    await at.near.readIfExists(Task)
    return (await at.redis.cli('EXISTS', `{ts:default}:presence:${at.far.presence}`)) === '0'
  }, 'the space has given it up')

test('what was answered while it was away is done again, or is unknown to its client; what still runs goes on', async () => {
  const worker = await hold(at.near, 4)
  const again = outcomeOf(send(at.far, '/again', { repeatable: true }))
  const once = outcomeOf(send(at.far, '/once', { repeatable: false }))
  const later = outcomeOf(send(at.far, '/later', { repeatable: false }))
  const large = outcomeOf(send(at.far, `/large?${'x'.repeat(5_000)}`, { repeatable: true }))
  await until(() => worker.held.length === 4, 'the worker holds them')
  const held = (path: string) =>
    worker.held.splice(
      worker.held.findIndex(({ request }) => request.target.startsWith(path)),
      1,
    )[0]!
  await at.away()
  await givenUp()
  for (const path of ['/again', '/once', '/large']) expect(await held(path).complete(OK)).toBe(true)
  await at.back()
  expect(await once).toBe('OUTCOME_UNKNOWN')
  await until(() => worker.held.length === 3, 'those that may run again are there again')
  for (const path of ['/again', '/large', '/later']) expect(await held(path).complete(OK)).toBe(true)
  expect(await Promise.all([again, large, later])).toEqual(['200', '200', '200'])
  await worker.stop()
})

/** How long a worker waits for a requester to join again before its handlers are told, and longer. */
const JOINS_WITHIN_MS = 1_000
const TOLD_BY_MS = 1_200

test('if it is back within a second, the holders of its requests hear nothing of it; else they do', async () => {
  const worker = await hold(at.near, 2)
  let lost: boolean
  let wasInTime: boolean
  // On a busy machine it may come back later; that says nothing.
  do {
    const once = outcomeOf(send(at.far, '/once', { repeatable: false }))
    await until(() => worker.held.length === 1, 'the worker holds it')
    const held = worker.held.pop()!
    lost = false
    held.onLost = () => {
      lost = true
    }
    expect(await held.start()).toBe(true)
    const began = performance.now()
    await at.away()
    await givenUp()
    const told = performance.now() + TOLD_BY_MS
    await at.back()
    wasInTime = performance.now() - began < JOINS_WITHIN_MS
    await until(() => performance.now() > told, 'the holder would have been told')
    if (wasInTime) expect(await held.complete(OK)).toBe(true)
    else await held.complete(OK)
    if (wasInTime) expect(await once).toBe('200')
    else await once
  } while (!wasInTime)
  expect(lost).toBe(false)

  const left = outcomeOf(send(at.far, '/left', { repeatable: true }))
  await until(() => worker.held.length === 1, 'the worker holds another')
  const heard = new Promise<void>((resolve) => {
    worker.held[0]!.onLost = resolve
  })
  await at.away()
  await givenUp()
  await heard
  await worker.held[0]!.release()
  await at.back()
  // It was given back while nobody waited for it, so it is gone; it may run again.
  await until(() => worker.held.length === 2, 'it is there again')
  await worker.held[1]!.complete(OK)
  expect(await left).toBe('200')
  await worker.stop()
})

test('also when its link is cut once more before it has heard what became of them', async () => {
  const worker = await hold(at.near, 1)
  const once = outcomeOf(send(at.far, '/once', { repeatable: false }))
  await until(() => worker.held.length === 1, 'the worker holds it')
  await at.away()
  await givenUp()
  expect(await worker.held[0]!.complete(OK)).toBe(true)
  // The answer to a sync is one letter and the clock; then it asks.
  const cut = at.link.dropNextReplyThenCut((bytes) => bytes.includes('\r\nn\r\n'))
  await at.link.accept()
  await cut
  expect(await once).toBe('OUTCOME_UNKNOWN')
  await worker.stop()
})

test('a large answer that is told a second time while it is fetched is not thrown away before it has come', async () => {
  const worker = await hold(at.near, 1)
  const isLarge = (bytes: Buffer): boolean => bytes.includes('zzzz')
  const answer = outcomeOf(send(at.far, '/large', { repeatable: false }))
  await until(() => worker.held.length === 1, 'the worker holds it')
  let losing = true
  void (async () => {
    while (losing) await at.link.dropNextReplyThenCut(isLarge)
  })()
  const before = at.link.lost
  await worker.held[0]!.complete({ ...OK, body: Buffer.alloc(5_000, 'z') })
  await until(() => at.link.lost > before, 'it is lost on its way')
  // The link comes back, and the space tells of it again.
  at.link.cut()
  await at.isBack()
  // What has arrived travels with the next batch.
  await at.far.readIfExists(Task)
  losing = false
  expect(await answer).toBe('200')
  await worker.stop()
})

test('a request whose write was answered in vain, and which is held meanwhile, is not in the space twice', async () => {
  const worker = await hold(at.near, 1)
  at.link.dropReplies()
  const answer = outcomeOf(send(at.far, '/written', { repeatable: true }))
  await until(() => worker.held.length === 1, 'the worker holds it')
  await at.away()
  await givenUp()
  at.link.heal()
  await at.back()
  // What was unanswered is settled before this.
  await at.far.readIfExists(Task)
  expect(await violations(at.redis, 'default')).toEqual([])
  expect(await worker.held[0]!.complete(OK)).toBe(true)
  expect(await answer).toBe('200')
  expect(await violations(at.redis, 'default')).toEqual([])
  await worker.stop()
})

test('afterwards nothing is left', async () => {
  await at.close()
  await nothingIsLeft(at.redis)
})

failOnLeaks()
