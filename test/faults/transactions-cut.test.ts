/** Promises 6 and 8: replies are lost and links are cut around a transaction. What its owner is told is what is so, or that nobody knows. */
import { describe, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, report } from './form.js'

const Task = defineEntry<{ n: number; i?: number }>('Task')
const Done = defineEntry<{ n: number }>('Done')
const ROUNDS = form(16, 400)

const at = overLink({ appendonly: true })

function codeOf(error: unknown): string {
  if (isSpaceError(error)) return error.code
  throw error
}
const inOrder = (): Promise<void> =>
  until(async () => {
    expect(await violations(at.redis)).toEqual([])
    return true
  }, 'Redis is in order')

/** Of the n-th: whether the task is there, and how often it was done. */
const there = async (n: number): Promise<[boolean, number]> => [
  (await at.near.takeIfExists(Task.template({ n }))) !== null,
  (await at.near.takeAll([Done.template({ n })], { waitMs: 0 })).length,
]

test(
  'replies are lost at each step: committed, ended, or unknown, and always all or nothing',
  async () => {
    const counts: Record<string, number> = {}
    for (let n = 0; n < ROUNDS; n++) {
      await at.near.write(Task({ n }))
      let lost: Promise<unknown> | undefined
      const loseAt = (step: number): void => {
        if (n % 4 !== step) return
        if (n % 8 < 4) lost = at.link.dropNextReplyThenCut()
        else {
          const before = at.link.lost
          at.link.dropReplies()
          lost = until(() => at.link.lost > before, 'a reply is lost').then(() => at.link.heal())
        }
      }
      const tx = await at.far.begin({ leaseMs: 20_000 })
      let outcome = 'committed'
      try {
        loseAt(0)
        // The first goes with the news of the transaction; it waits, or does not.
        expect(await at.far.take(Task.template({ n }), { tx, waitMs: n % 3 ? 5_000 : 0 })).toEqual({ n })
        loseAt(1)
        await at.far.write(Done({ n }), { tx })
        loseAt(2)
        void at.far.write(Done({ n }), { tx }).catch(() => {})
        loseAt(3)
        await tx.commit()
      } catch (error) {
        outcome = codeOf(error)
        await tx.abort()
      }
      await lost
      await at.isBack()
      const [task, done] = await there(n)
      const name = `${outcome}: ${task ? 'nothing' : 'all'}`
      counts[name] = (counts[name] ?? 0) + 1
      expect([n, done]).toEqual([n, task ? 0 : 2])
      if (outcome === 'committed') expect([n, task]).toEqual([n, false])
      else if (outcome === 'TRANSACTION_ENDED') expect([n, task]).toEqual([n, true])
      else expect(outcome).toBe('OUTCOME_UNKNOWN')
    }
    report('replies lost around a transaction', counts)
    expect(counts['committed: all']).toBeGreaterThan(0)
    await inOrder()
  },
  form(60_000, 600_000),
)

describe('a take that waits under a transaction', () => {
  test(
    'takes one, whatever is lost on the way: the others stay, and so does that of an owner who was told nothing',
    async () => {
      const counts: Record<string, number> = {}
      for (let round = 0; round < ROUNDS; round++) {
        const n = 10_000 + round
        const tx = await at.far.begin({ leaseMs: 20_000 })
        const write = (i: number): Promise<unknown> => at.near.write(Task({ n, i }))
        // What is there before, and what is handed over; the answer lost, or the hand-off.
        if (round % 2) await Promise.all([write(0), write(1)])
        if (round % 3 === 0) await at.far.readIfExists(Done, { tx })
        const lost = at.link.dropNextReplyThenCut()
        const taking = at.far.take(Task.template({ n }), { tx, waitMs: 5_000 })
        if (round % 2 === 0) {
          await Promise.all([write(0), write(1)])
        }
        let outcome = 'committed'
        try {
          expect(await taking).toMatchObject({ n })
          await tx.commit()
        } catch (error) {
          outcome = codeOf(error)
          await tx.abort()
        }
        await lost
        await at.isBack()
        counts[outcome] = (counts[outcome] ?? 0) + 1
        const left = await at.near.takeAll([Task.template({ n })], { waitMs: 0 })
        if (outcome === 'committed') expect([round, left.length]).toEqual([round, 1])
        else expect([round, outcome, left.length]).toEqual([round, 'OUTCOME_UNKNOWN', 2])
      }
      report('replies lost while a take waits under a transaction', counts)
      await inOrder()
    },
    form(60_000, 600_000),
  )

  test('takes one, although one is handed to it while it looks for another', async () => {
    for (let round = 0; round < 5; round++) {
      const n = 20_000 + round
      const tx = await at.far.begin()
      await at.far.readIfExists(Done, { tx })
      const taking = at.far.take(Task.template({ n }), { tx, waitMs: 5_000 })
      await at.far.readIfExists(Done)
      // Of its own transaction: so it looks again, and meanwhile it is handed one and another is there.
      await at.far.write(Done({ n }), { tx })
      at.link.delay(20)
      await at.near.writeAll([0, 1, 2].map((i) => Task({ n, i })))
      expect(await taking).toMatchObject({ n })
      at.link.delay(0)
      await tx.commit()
      expect(await at.near.takeAll([Task.template({ n })], { waitMs: 0 })).toHaveLength(2)
      await at.near.take(Done.template({ n }))
    }
    await inOrder()
  })

  test('is served when the link is back, also when its transaction was begun without one', async () => {
    for (const take of [true, false]) {
      await at.away()
      const tx = await at.far.begin()
      const n = 30_000
      const finding = take ? at.far.take(Task.template({ n }), { tx }) : at.far.read(Task.template({ n }), { tx })
      await at.back()
      await at.near.write(Task({ n }))
      expect(await finding).toEqual({ n })
      await tx.commit()
      expect(await at.near.takeIfExists(Task)).toEqual(take ? null : { n })
    }
  })

  test('keeps its time without a link', async () => {
    await at.away()
    const tx = await at.far.begin()
    // It ends before the link is back.
    const outcome = await at.far.take(Task, { tx, waitMs: 100 }).catch(codeOf)
    expect([null, 'OUTCOME_UNKNOWN']).toContain(outcome)
    await at.back()
    if (outcome === null) await tx.commit()
    else await expect(tx.commit()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await inOrder()
  })
})

test('a commit that is asked for while the link is away is one when it is back', async () => {
  const n = 40_000
  await at.near.write(Task({ n }))
  const tx = await at.far.begin()
  await at.far.take(Task.template({ n }), { tx })
  await at.far.write(Done({ n }), { tx })
  await at.away()
  const committed = tx.commit()
  await at.back()
  await committed
  expect(await there(n)).toEqual([false, 1])
})

test('waits stand in the order in which they were asked for, also after the link was cut', async () => {
  const n = 50_000
  const taking = [0, 1, 2].map(() => at.far.take(Task.template({ n })))
  await at.far.readIfExists(Done)
  await at.away()
  await at.back()
  await at.far.readIfExists(Done)
  for (const i of [0, 1, 2]) await at.near.write(Task({ n, i }))
  expect((await Promise.all(taking)).map(({ i }) => i)).toEqual([0, 1, 2])
})

test('afterwards nothing is left', async () => {
  await at.close()
  await nothingIsLeft(at.redis)
})

failOnLeaks()
