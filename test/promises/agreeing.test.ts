/** The memory engine is the specification: whatever a program does, Redis answers as memory does. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { AnyEntry, defineEntry, type Matching } from '../../src/entry.js'
import type { Lease } from '../../src/lease.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'

type Fields = { n?: number; a?: number; b?: string }
const Base = defineEntry<Fields>('Base')
const Sub = Base.extend<{ c?: number }>('Sub')
const Far = defineEntry<Fields>('Far', { index: ['a'] })
const KINDS = [Base, Sub, Far]

/** A waiting take of the second client, for as long as the program lasts. */
interface Waiting {
  readonly taken: Promise<unknown>
  readonly controller: AbortController
}

/** One side of the comparison. */
interface Side {
  readonly space: Space
  readonly other: Space
  readonly leases: Lease[]
  readonly waiting: Waiting[]
}

const some = fc.record({ a: fc.constantFrom(0, 1), b: fc.constantFrom('x', 'y') }, { requiredKeys: [] })
const kind = fc.nat(KINDS.length - 1)
/** A kind by its number, -1 for AnyEntry. */
const template = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(kind, some) },
  { weight: 1, arbitrary: fc.tuple(fc.constant(-1), fc.constant({})) },
)
const templateOf = ([k, fields]: [number, Fields]): Matching<Fields> =>
  KINDS[k] ? KINDS[k].template(fields) : AnyEntry
const code = (error: { code?: string }): string => `error ${error.code}`

/** Steps are data, so that a shrunk program can be read. */
const step = fc.oneof(
  fc.record({ write: kind, fields: some, priority: fc.constantFrom(0, 0, 3, -1) }),
  fc.record({ writeTwo: kind, fields: some }),
  fc.record({ take: template }),
  fc.record({ read: template }),
  fc.record({ cancel: fc.nat(9) }),
  fc.record({ renew: fc.nat(9) }),
  fc.record({ wait: template }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

async function take(step: Step, n: number, { space, other, leases, waiting }: Side): Promise<unknown> {
  if ('write' in step) {
    leases.push(await space.write(KINDS[step.write]!({ ...step.fields, n }), { priority: step.priority }))
  } else if ('writeTwo' in step) {
    leases.push(...(await other.writeAll([KINDS[step.writeTwo]!({ ...step.fields, n }), Base({ n: n + 0.5 })])))
  } else if ('take' in step) return other.takeIfExists(templateOf(step.take))
  else if ('read' in step) return space.readIfExists(templateOf(step.read))
  else if ('cancel' in step)
    return leases
      .at(-1 - step.cancel)
      ?.cancel()
      .catch(code)
  else if ('renew' in step)
    return leases
      .at(-1 - step.renew)
      ?.renew(90_000)
      .catch(code)
  else {
    const controller = new AbortController()
    const taken = other.take(templateOf(step.wait), { signal: controller.signal }).catch(() => 'nothing')
    waiting.push({ taken, controller })
  }
  // Answered behind what is pushed to the other client, and again behind its acknowledgement: waits stand, and takes are final.
  await other.readIfExists(Far.template({ b: 'nowhere' }))
  await other.readIfExists(Far.template({ b: 'nowhere' }))
  return 'done'
}

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

let programs = 0

async function run(steps: readonly Step[], side: Side): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const [n, each] of steps.entries()) answers.push(await take(each, n, side))
  for (const { controller, taken } of side.waiting) {
    // An entry that is on its way wins; the end of the wait is confirmed by the space.
    controller.abort()
    answers.push(await taken)
  }
  for (;;) {
    const rest = await side.space.takeIfExists(AnyEntry)
    if (!rest) return answers
    answers.push(rest)
  }
}

async function sideOn(url: string, name: string): Promise<Side> {
  const space = await openSpace(url, { name })
  return { space, other: url === 'memory:' ? space : await openSpace(url, { name }), leases: [], waiting: [] }
}

test('a random program gets the same answers from both engines', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const name = `program ${++programs}`
      const [memory, real] = await Promise.all([sideOn('memory:', name), sideOn(redis.url, name)])
      try {
        expect(await run(steps, real)).toEqual(await run(steps, memory))
      } finally {
        await Promise.all([memory.space.close(), real.space.close(), real.other.close()])
      }
    }),
    { numRuns: 120 },
  )
})

failOnLeaks()
