/** Transactions in a space of several partitions: each lives in one, and what belongs to another is refused without effect. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { World } from '../../src/engines/memory/world.js'
import { serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { OK, outcomeOf, send } from '../faults/requests.js'
import { Other } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { pending } from '../support/pending.js'
import { Keyed, laneOf, spaceOn, worldsOf } from './spaces.js'

const LANES = [laneOf(0, 3), laneOf(1, 3), laneOf(2, 3)] as const
const REFUSED = { code: 'OTHER_PARTITION', status: 409, retryable: false }

let worlds: World[]
let space: Space
let other: Space
beforeEach(() => {
  worlds = worldsOf(3)
  space = spaceOn(worlds)
  other = spaceOn(worlds)
})
afterEach(() => Promise.all([space.close(), other.close()]))

const counts = (): number[] => worlds.map(({ bag }) => bag.entries().length)

test('a write, a take and a read of another partition are refused, and the transaction goes on', async () => {
  await other.write(Keyed({ id: 'there', lane: LANES[1] }))
  const tx = await space.begin()
  await space.write(Keyed({ id: 'own', lane: LANES[0] }), { tx })
  const elsewhere = Keyed.template({ lane: LANES[1] })
  await expect(space.write(Keyed({ id: 'x', lane: LANES[1] }), { tx })).rejects.toMatchObject(REFUSED)
  await expect(space.take(elsewhere, { tx })).rejects.toMatchObject(REFUSED)
  await expect(space.readIfExists(elsewhere, { tx })).rejects.toMatchObject(REFUSED)
  await expect(space.takeAll([elsewhere], { tx })).rejects.toMatchObject(REFUSED)
  await expect(space.contents(elsewhere, { tx }).next()).rejects.toMatchObject(REFUSED)
  // What is unkeyed goes where the transaction is.
  await space.write(Other({ id: 'beside' }), { tx })
  await tx.commit()
  expect(counts()).toEqual([2, 1, 0])
})

test('a take goes to the first partition with a match, and all that follows is there', async () => {
  await other.write(Keyed({ id: 'a', lane: LANES[2] }))
  const tx = await space.begin()
  expect(await space.takeIfExists(Keyed, { tx })).toMatchObject({ id: 'a' })
  await space.write(Other({ id: 'result' }), { tx })
  expect(await other.readIfExists(Keyed)).toBeNull()
  await tx.commit()
  expect(counts()).toEqual([0, 0, 1])
})

test('a take that waits under one gets what comes in any partition, and its abort gives it back', async () => {
  for (const lane of LANES) {
    const tx = await space.begin()
    const waiting = space.take(Keyed, { tx })
    expect(await pending(waiting, () => space.readIfExists(Other))).toBe(true)
    await other.write(Keyed({ id: lane, lane }))
    expect(await waiting).toMatchObject({ id: lane })
    expect(await other.takeIfExists(Keyed)).toBeNull()
    await tx.abort()
    expect(await other.takeIfExists(Keyed)).toMatchObject({ id: lane })
  }
})

test('of finds that wait under one, those that are left wait where it lives', async () => {
  const tx = await space.begin()
  const [first, second] = [space.take(Keyed, { tx }), space.take(Keyed, { tx })]
  expect(await pending(Promise.race([first, second]), () => space.readIfExists(Other))).toBe(true)
  await other.write(Keyed({ id: 'a', lane: LANES[1] }))
  await Promise.race([first, second])
  await other.write(Keyed({ id: 'elsewhere', lane: LANES[0] }))
  await other.write(Keyed({ id: 'b', lane: LANES[1] }))
  expect((await Promise.all([first, second])).map(({ id }) => id).sort()).toEqual(['a', 'b'])
  await tx.commit()
  expect(counts()).toEqual([1, 0, 0])
})

test('two finds that meet matches in two partitions: one stays, the other is undone', async () => {
  for (let i = 0; i < 20; i++) {
    await other.write(Keyed({ id: 'a', lane: LANES[0] }))
    await other.write(Keyed({ id: 'b', lane: LANES[1] }))
    const tx = await space.begin()
    const found = await Promise.all(
      [0, 1].map((lane) =>
        space.takeIfExists(Keyed.template({ lane: LANES[lane] as string }), { tx }).catch((error) => error.code),
      ),
    )
    expect(found).toContain('OTHER_PARTITION')
    await tx.commit()
    expect(counts().filter((count) => count === 1)).toHaveLength(1)
    expect(await other.take(Keyed)).toBeTruthy()
  }
})

test('the transaction of a request lives where the request is, and is committed with its response', async () => {
  const serving = await serveRequests(other, 'web', 8, async (taken) => {
    await other.write(Other({ id: taken.id }), { tx: taken.transaction })
    await taken.complete(OK)
  })
  const sent = Array.from({ length: 20 }, (_, i) => send(space, `/${i}`, { repeatable: true }))
  expect(new Set(await Promise.all(sent.map(outcomeOf)))).toEqual(new Set(['200']))
  expect(counts().reduce((sum, count) => sum + count)).toBe(20)
  await serving.stop()
})

test('a transaction without a partition can be renewed, committed and aborted, and leaves nothing', async () => {
  for (const end of ['commit', 'abort'] as const) {
    const tx = await space.begin()
    await tx.renew(5_000)
    expect(await space.takeIfExists(Keyed, { tx })).toBeNull()
    await tx.renew(5_000)
    await tx[end]()
    await expect(space.write(Other({ id: 'late' }), { tx })).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
  }
  for (const { transactions } of worlds) expect(transactions.of(space.presence)).toEqual([])
})

failOnLeaks()
