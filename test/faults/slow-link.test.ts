/** Promises 1, 2 and 10 over a slow link: a wait that ends while an answer is on its way overlooks nothing, loses nothing, and does end. */
import { expect, test } from '@jest/globals'
import { within } from '../../src/runtime/deadline.js'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { MOST_MS, until } from '../support/until.js'

const SLOW_MS = 100
const WAIT_MS = 500

const at = overLink()

test('a wait that is over before the space has answered does not overlook what is there', async () => {
  await at.far.write(Task({ id: 't1' }))
  at.link.delay(SLOW_MS)
  expect(await at.far.read(Task, { waitMs: 1 })).toEqual({ id: 't1' })
  expect(await at.far.take(Task, { waitMs: 1 })).toEqual({ id: 't1' })
  expect(await at.far.take(Task, { waitMs: 1 })).toBeNull()
  at.link.delay(0)
})

/** A taker behind the slow link who has waited for so long already; its wait is over after WAIT_MS. */
async function waiting(forMs: number): Promise<{ taken: Promise<unknown>; began: number }> {
  at.link.delay(SLOW_MS)
  const began = performance.now()
  const taken = at.far.take(Task, { waitMs: WAIT_MS }).catch((error) => error.code)
  await until(() => performance.now() >= began + forMs, 'it has waited')
  return { taken, began }
}

test('what is handed over at the end of a wait is taken, or is there, or its taker is told that nobody knows', async () => {
  const { taken, began } = await waiting(WAIT_MS + 10)
  // Its leave is on its way; the entry comes to meet it. From here on no answer gets through.
  await at.near.write(Task({ id: 't2' }))
  await until(() => performance.now() >= began + WAIT_MS + SLOW_MS / 2, 'the hand-over has passed the link')
  at.link.dropReplies()
  await within(2_000, taken)
  at.link.heal()
  at.link.delay(0)
  const found = await taken
  const there = await at.near.take(Task, { waitMs: 1_000 })
  expect([found, there]).not.toEqual([null, null])
})

test('a wait that is over while its entry is cancelled ends', async () => {
  const { taken } = await waiting(WAIT_MS - SLOW_MS * 1.5)
  const lease = await at.near.write(Task({ id: 't3' }))
  await lease.cancel()
  expect(await within(MOST_MS, taken)).toBe(true)
  expect(await taken).toBeNull()
  at.link.delay(0)
})

test('a wait ends all the same when the space does not answer', async () => {
  at.link.blackhole()
  expect(await at.far.take(Task, { waitMs: 20 })).toBeNull()
  at.link.heal()
})

failOnLeaks()
