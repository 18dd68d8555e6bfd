/**
 * The memory engine is the specification: whatever a program of several clients does, Redis answers as memory does, and what stands in
 * Redis is in order after it.
 *
 * A failure prints a shrunk program, and a seed and a path: `AGREEING_SEED=… AGREEING_PATH=…` replays it. `AGREEING_PROGRAMS=20000` is the
 * long form.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { AnyEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { CLIENTS, code, perform, Side, type Step, step } from './steps.js'

const { AGREEING_PROGRAMS, AGREEING_SEED, AGREEING_PATH } = process.env
const PROGRAMS = Number(AGREEING_PROGRAMS ?? 150)
const replay = AGREEING_SEED ? { seed: Number(AGREEING_SEED), path: AGREEING_PATH ?? '' } : {}

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

/** What each step answered, and after it all that goes on. */
async function run(steps: readonly Step[], side: Side, check: () => Promise<void>): Promise<unknown[]> {
  const answers: unknown[] = []
  const note = async (n: number, step: string, answer: unknown): Promise<void> => {
    await side.settle()
    await check()
    const going = side.going.filter(({ outcome }) => outcome !== 'waits').map(({ what, outcome }) => [what, outcome])
    const events = side.events.map((each) => [...each])
    answers.push({ n, step, answer, going, events, held: side.held.map(({ request }) => request.target) })
  }
  for (const [n, each] of steps.entries()) await note(n, each.op, await perform(each, n, side).catch(code))
  for (const [client, open] of side.transactions.entries())
    for (const [i, each] of open.splice(0).entries())
      await note(client, 'at last', await (i % 2 ? each.commit() : each.abort()).catch(code))
  for (const { controller } of side.going) controller.abort(new Error('given up'))
  await note(-1, 'given up', undefined)
  await note(-2, 'stopped', await side.serving?.stop())
  for (const taken of side.held) await taken.release().catch(() => {})
  for (const sent of side.sent) sent.withdraw()
  for (const registration of side.registrations) await registration.cancel()
  await side.settle()
  answers.push((await side.spaces[0]!.takeAll([AnyEntry], { max: 1_000, waitMs: 0 })).map(({ n }) => n))
  answers.push([...(await side.spaces[0]!.engine.kinds())].filter(([, count]) => count > 0))
  await check()
  return answers
}

const opened: Space[] = []
async function spacesOn(url: string, name: string, count: number): Promise<Space[]> {
  const spaces = await Promise.all(Array.from({ length: count }, () => openSpace(url, { name })))
  opened.push(...spaces)
  return spaces
}
const closeAll = (): Promise<unknown> => Promise.all(opened.splice(0).map((space) => space.close()))

let programs = 0

test('a random program gets the same answers from both engines', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const name = `program ${++programs}`
      const [memory] = await spacesOn('memory:', name, 1)
      const real = new Side(await spacesOn(redis.url, name, CLIENTS))
      const inOrder = (): Promise<void> =>
        until(
          async () => {
            expect(await violations(redis, name)).toEqual([])
            return true
          },
          'Redis is in order',
          500,
        )
      try {
        const told = await run(steps, real, inOrder)
        const asked = await run(steps, new Side(Array(CLIENTS).fill(memory)), async () => {})
        expect(told).toEqual(asked)
      } finally {
        await closeAll()
      }
    }),
    { numRuns: PROGRAMS, ...replay },
  )
}, 3_600_000)

failOnLeaks()
