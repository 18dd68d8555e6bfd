/**
 * The memory engine is the specification of session entries, too: whatever a random program of three processes does to a few sessions, Redis
 * answers as memory does, and what stands in Redis is in order after each step. `AGREEING_SEED=… AGREEING_PATH=…` replays one.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { LoadedSession, SessionEntries } from '../../src/engine/sessions.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import { World } from '../../src/engines/memory/world.js'
import { openSpace } from '../../src/open.js'
import { Space } from '../../src/space.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'

const { AGREEING_PROGRAMS, AGREEING_SEED, AGREEING_PATH } = process.env
const PROGRAMS = Number(AGREEING_PROGRAMS ?? 60)
const replay = AGREEING_SEED ? { seed: Number(AGREEING_SEED), path: AGREEING_PATH ?? '' } : {}
const CLIENTS = 3
const SHORT_MS = 3_000

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const by = fc.nat(CLIENTS - 1)
const id = fc.constantFrom('$a', '$b')
const name = fc.constantFrom('x', 'y', 'z ä', 'long')
const text = fc.constantFrom('1', '"é"', JSON.stringify('l'.repeat(700)))
const owner = fc.constantFrom(undefined, undefined, '', 'ann', 'bob b')
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('save' as const),
      by,
      id,
      isNew: fc.constantFrom(false, false, true),
      set: fc.uniqueArray(fc.tuple(name, text), { maxLength: 3, selector: ([n]) => n }),
      removed: fc.uniqueArray(name, { maxLength: 2 }),
      /** Whether it stands on what this client has loaded last: its versions, or all of it. */
      checked: fc.boolean(),
      based: fc.boolean(),
      owner,
      maxBytes: fc.constantFrom(100_000, 100_000, 1_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('load' as const), by, id }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('lock' as const), by, id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('touch' as const),
      by,
      id,
      leaseMs: fc.constantFrom(60_000, 0),
      based: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('release' as const), by, id }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('destroy' as const), by, id }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('count' as const), by, id, owner }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** What one client knows: what it has loaded last, and the locks that it has or waits for. */
interface Client {
  readonly sessions: SessionEntries
  readonly loaded: Map<string, LoadedSession>
  readonly locks: Map<string, string>
}

const contents = (loaded: LoadedSession | null): unknown =>
  loaded && [loaded.owner, Object.fromEntries(Array.from(loaded.attributes, ([n, each]) => [n, each.text]).sort())]

async function perform(each: Step, client: Client, going: unknown[]): Promise<unknown> {
  const { sessions, loaded, locks } = client
  const lock = locks.get(each.id) ?? ''
  switch (each.op) {
    case 'load': {
      const found = await sessions.load(each.id)
      if (found) loaded.set(each.id, found)
      return contents(found)
    }
    case 'lock': {
      const at = going.push('waits') - 1
      void sessions.load(each.id, { lockMs: 60_000, waitMs: 60_000 }).then(
        (found) => {
          going[at] = contents(found)
          if (!found) return
          locks.set(each.id, found.lock)
          loaded.set(each.id, found)
        },
        (error) => {
          going[at] = error.code
        },
      )
      return 'asked'
    }
    case 'save': {
      const known = loaded.get(each.id)
      const removed = each.removed.filter((n) => !each.set.some(([other]) => other === n))
      const versions = new Map(Array.from(known?.attributes ?? [], ([n, { version }]) => [n, version]))
      const saved = await sessions.save(each.id, {
        leaseMs: 60_000,
        isNew: each.isNew,
        set: each.set,
        removed,
        versions: each.checked && known && !each.isNew ? versions : undefined,
        base: each.based ? known : undefined,
        owner: each.owner,
        lock,
        maxBytes: each.maxBytes,
      })
      // The next in line may be this same client, and has it already.
      if (locks.get(each.id) === lock) locks.delete(each.id)
      return saved && 'saved'
    }
    case 'touch':
      locks.delete(each.id)
      return sessions.touch(each.id, each.leaseMs, lock, each.based ? loaded.get(each.id) : undefined)
    case 'release':
      locks.delete(each.id)
      return lock ? sessions.release(lock) : 'none'
    case 'destroy':
      return sessions.destroy(each.id)
    case 'count':
      return [await sessions.count(each.owner), [...(await sessions.list(each.owner, null)).ids].sort()]
  }
}

async function run(steps: readonly Step[], spaces: readonly Space[], check: () => Promise<void>): Promise<unknown[]> {
  const clients = spaces.map(
    ({ engine }): Client => ({ sessions: engine.sessions, loaded: new Map(), locks: new Map() }),
  )
  const answers: unknown[] = []
  const going: unknown[] = []
  // Answered behind what is pushed to each, and behind what that brings about.
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await Promise.all(clients.map(({ sessions }) => sessions.count()))
  }
  for (const each of steps) {
    const answer = await perform(each, clients[each.by]!, going).catch((error) => `error ${error.code}`)
    await settle()
    answers.push([each.op, answer, [...going]])
    await check()
  }
  for (const { sessions } of clients) for (const each of ['$a', '$b']) await sessions.destroy(each)
  await settle()
  answers.push([...going])
  await check()
  return answers
}

test(
  'a random program gets the same answers from both engines',
  async () => {
    const end = performance.now() + SHORT_MS
    let names = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (steps) => {
        if (!AGREEING_PROGRAMS && !AGREEING_SEED && names > 5 && performance.now() > end) return
        const spaceName = `program ${++names}`
        const real = await Promise.all(Array.from({ length: CLIENTS }, () => openSpace(redis.url, { name: spaceName })))
        const world = new World()
        const memory = Array.from({ length: CLIENTS }, () => new Space(new MemoryEngine(world), 'memory'))
        try {
          const told = await run(steps, real, async () => expect(await violations(redis, spaceName)).toEqual([]))
          const asked = await run(steps, memory, async () => {})
          expect(told).toEqual(asked)
        } finally {
          await Promise.all([...real, ...memory].map((space) => space.close()))
        }
      }),
      { numRuns: PROGRAMS, ...replay },
    )
  },
  Math.max(PROGRAMS * 1_000, 30_000),
)

failOnLeaks()
