/**
 * The memory engine is the specification: whatever a program of several clients does, Redis answers as memory does, and what stands in
 * Redis is in order after it.
 *
 * A failure prints a shrunk program, and a seed and a path: `AGREEING_SEED=… AGREEING_PATH=…` replays it. `AGREEING_PROGRAMS=20000` is the
 * long form.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { DEAD_LETTER } from '../../src/engine.js'
import { AnyEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Transaction } from '../../src/space/transaction.js'
import type { Space } from '../../src/space.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { CLIENTS, code, concurrent, type Fields, perform, Side, type Step, step } from './steps.js'

const { AGREEING_PROGRAMS, AGREEING_SEED, AGREEING_PATH } = process.env
const PROGRAMS = Number(AGREEING_PROGRAMS ?? 100)
/** The short form ends after so long, unless it has found something to shrink. */
const SHORT_MS = 2_000
function bounded<P>(run: (program: P) => Promise<void>): (program: P) => Promise<void> {
  const end = performance.now() + SHORT_MS
  let failed = AGREEING_PROGRAMS !== undefined || AGREEING_SEED !== undefined
  return async (program) => {
    if (!failed && performance.now() > end) return
    await run(program).catch((error) => {
      failed = true
      throw error
    })
  }
}
const replay = AGREEING_SEED ? { seed: Number(AGREEING_SEED), path: AGREEING_PATH ?? '' } : {}

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  await closeAll()
  await redis.stop()
})

const LETTERS = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }

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
  const [space] = side.spaces as [Space]
  answers.push((await space.takeAll([AnyEntry], { max: 1_000, waitMs: 0 })).map(({ n }) => n))
  const letters = await space.engine.list(LETTERS, null, 1_000)
  for (const { id } of letters.entries) await space.engine.cancel(id)
  answers.push(letters.entries.length)
  answers.push([...(await space.engine.kinds())].filter(([, count]) => count > 0))
  await check()
  return answers
}

/** On Redis they are used again as long as all goes well: a program leaves nothing behind. */
const opened: Space[] = []
let names = 0
async function spacesOnRedis(): Promise<Space[]> {
  if (opened.length > 0) return [...opened]
  const name = `program ${++names}`
  opened.push(...(await Promise.all(Array.from({ length: CLIENTS }, () => openSpace(redis.url, { name })))))
  return [...opened]
}
const closeAll = (): Promise<unknown> => Promise.all(opened.splice(0).map((space) => space.close()))

const inOrder = ({ name }: Space): Promise<void> =>
  until(
    async () => {
      expect(await violations(redis, name)).toEqual([])
      return true
    },
    'Redis is in order',
    1_000,
  )

test('a random program gets the same answers from both engines', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }),
      bounded(async (steps) => {
        const real = await spacesOnRedis()
        const memory = await openSpace('memory:')
        try {
          const told = await run(steps, new Side(real), () => inOrder(real[0]!))
          const asked = await run(steps, new Side(Array(CLIENTS).fill(memory)), async () => {})
          expect(told).toEqual(asked)
        } catch (error) {
          await closeAll()
          throw error
        } finally {
          await memory.close()
        }
      }),
    ),
    { numRuns: PROGRAMS, ...replay },
  )
}, 3_600_000)

/** What a program of groups did, as far as its callers were told. */
class Accounts {
  /** By entry: the transaction under which it was written, if any. */
  readonly written = new Map<number, Transaction | undefined>()
  readonly taken: Found[] = []
  readonly read: Found[] = []
  readonly cancelled = new Set<number>()

  /** Of a step that has been answered. */
  enter(step: Step, n: number, under: Transaction | undefined, answer: unknown): void {
    if (typeof answer === 'string' && answer.startsWith('error')) return
    if (step.op === 'write') this.written.set(n, under)
    else if (step.op === 'cancel' && answer) this.cancelled.add((answer as { cancelled: number }).cancelled)
    else if (step.op === 'takeAll') for (const each of answer as Fields[]) this.taken.push({ n: each.n!, under })
    else if (step.op === 'update') this.found(false, under, answer)
    else if (step.op === 'take' || step.op === 'read') this.found(step.op === 'take', under, answer)
  }

  found(take: boolean, under: Transaction | undefined, answer: unknown): void {
    if (answer && typeof answer === 'object') (take ? this.taken : this.read).push({ n: (answer as Fields).n!, under })
  }

  /** Nothing lost, nothing taken twice, nothing seen that never was; `rest` is what stands in the space at last. */
  check(rest: readonly number[]): void {
    const final = [...rest, ...this.taken.filter(({ under }) => committed(under)).map(({ n }) => n)]
    expect(final).toEqual([...new Set(final)])
    const there = [...this.written].filter(([, under]) => committed(under)).map(([n]) => n)
    expect(final.filter((n) => !there.includes(n))).toEqual([])
    expect(there.filter((n) => !final.includes(n) && !this.cancelled.has(n))).toEqual([])
    expect(rest.filter((n) => this.cancelled.has(n))).toEqual([])
    for (const { n, under } of [...this.read, ...this.taken]) {
      const writer = this.written.get(n)
      expect([n, this.written.has(n) && (committed(writer) || writer === under)]).toEqual([n, true])
    }
  }
}
interface Found {
  readonly n: number
  readonly under: Transaction | undefined
}
const committed = (tx: Transaction | undefined): boolean => tx === undefined || !tx.signal.aborted

/** The steps of a group go out together; what they are answered depends on the order in which they come. */
async function runGroups(groups: readonly (readonly Step[])[], side: Side): Promise<Accounts> {
  const accounts = new Accounts()
  const takers = new Map<string, boolean>()
  let n = 0
  for (const group of groups) {
    const steps = group.map((each) => {
      const number = n++
      if (each.op === 'wait') takers.set(`wait ${number}`, each.take)
      const under = 'tx' in each ? side.txOf(each.by, each.tx) : undefined
      return perform(each, number, side)
        .catch(code)
        .then((answer) => accounts.enter(each, number, under, answer))
    })
    await Promise.all(steps)
  }
  const ends = side.transactions.flatMap((open) => open.splice(0).map((tx, i) => (i % 2 ? tx.commit() : tx.abort())))
  for (const { controller } of side.going) controller.abort(new Error('given up'))
  await Promise.allSettled(ends)
  for (const { what, tx, done } of side.going) accounts.found(takers.get(what)!, tx, await done)
  await side.settle()
  return accounts
}

test.each(['memory', 'redis'])(
  'in %s, of what goes on at the same time nothing is lost, nothing taken twice',
  async (engine) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(concurrent, { minLength: 2, maxLength: 8 }), { maxLength: 8 }),
        bounded(async (groups) => {
          const memory = await openSpace('memory:')
          const own = engine === 'memory' ? [memory] : await spacesOnRedis()
          try {
            const side = new Side(Array.from({ length: CLIENTS }, (_, i) => own[i % own.length]!))
            const accounts = await runGroups(groups, side)
            if (engine === 'redis') await inOrder(own[0]!)
            const rest = await own[0]!.takeAll([AnyEntry], { max: 1_000, waitMs: 0 })
            accounts.check(rest.map(({ n }) => n as number))
          } catch (error) {
            await closeAll()
            throw error
          } finally {
            await memory.close()
          }
        }),
      ),
      { numRuns: engine === 'memory' ? PROGRAMS * 2 : PROGRAMS, ...replay },
    )
  },
  3_600_000,
)

failOnLeaks()
