/** Partition keys: entries of one key are in one partition, and what names the key touches no other. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import type { World } from '../../src/engines/memory/world.js'
import { PartitionedEngine } from '../../src/engines/partitions/index.js'
import { FixedPlacement } from '../../src/engines/partitions/placement.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { Keyed, laneOf, spaceOn, worldsOf } from './spaces.js'

const Order = defineEntry<{ id: string; customer: string }>('Order', { partition: 'customer' })
const Customer = defineEntry<{ name: string; note?: string }>('Customer', { partition: 'name' })

let worlds: World[]
let space: Space
beforeEach(() => {
  worlds = worldsOf(3)
  space = spaceOn(worlds)
})
afterEach(() => space.close())

const counts = (): number[] => worlds.map(({ bag }) => bag.entries().length)

test('entries of one key are in one partition, whatever their kind; without a key they are spread', async () => {
  for (let i = 0; i < 6; i++) await space.write(Order({ id: `${i}`, customer: 'ann' }))
  await space.write(Customer({ name: 'ann' }))
  expect(counts().sort()).toEqual([0, 0, 7])
  const Plain = defineEntry<{ id: string }>('Plain')
  for (let i = 0; i < 30; i++) await space.write(Plain({ id: `${i}` }))
  expect(counts().sort((a, b) => a - b)).toEqual([10, 10, 17])
})

test('the partition of a key is the same in every process and in every release', () => {
  const keys = ['s:ann', 's:bob', 'n:42', 's:42', 's:#é', '']
  const placed = (count: number): number[] => keys.map((key) => new FixedPlacement(count, 'any').ofKey(key))
  expect([placed(2), placed(3), placed(16)]).toEqual([
    [0, 1, 1, 0, 0, 0],
    [0, 1, 2, 0, 0, 2],
    [2, 15, 3, 6, 6, 12],
  ])
})

test('order and priority hold among entries of one key', async () => {
  for (const [id, priority] of [
    ['n1', 0],
    ['low', -1],
    ['high', 1],
    ['n2', 0],
  ] as const) {
    await space.write(Order({ id, customer: 'bob' }), { priority })
  }
  const order: string[] = []
  for await (const { id } of space.contents(Order.template({ customer: 'bob' }))) order.push(id)
  expect(order).toEqual(['high', 'n1', 'n2', 'low'])
  for (const id of order) expect(await space.take(Order.template({ customer: 'bob' }))).toMatchObject({ id })
})

test('a find that names the key touches its partition alone, also when it waits', async () => {
  const members = worlds.map((world) => new MemoryEngine(world, {}, 'one'))
  const view = new Space(new PartitionedEngine(members), 'memory')
  // What is asked of a closed engine rejects.
  for (const other of [0, 2]) await members[other]!.close()
  const mine = Keyed.template({ lane: laneOf(1, 3) })
  const waiting = view.take(mine)
  await space.write(Keyed({ id: 'a', lane: laneOf(1, 3) }))
  expect(await waiting).toMatchObject({ id: 'a' })
  await space.write(Keyed({ id: 'b', lane: laneOf(1, 3) }))
  expect(await view.readIfExists(mine)).toMatchObject({ id: 'b' })
  expect(await view.takeAll([mine], { waitMs: 0 })).toHaveLength(1)
  await expect(view.takeIfExists(Keyed)).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  await view.close()
})

test('a key is compared as fields are: a number is no text, and kinds that extend one have its key', async () => {
  const Numbered = defineEntry<{ n: number | string }>('Numbered', { partition: 'n' })
  const More = Numbered.extend<{ more: string }>('More')
  for (let n = 0; n < 20; n++) {
    await space.write(More({ n, more: 'x' }))
    expect(await space.takeIfExists(Numbered.template({ n: `${n}` }))).toBeNull()
    expect(await space.takeIfExists(Numbered.template({ n }))).toEqual({ n, more: 'x' })
  }
  expect(await space.takeIfExists(AnyEntry)).toBeNull()
})

test('a lease finds its entry, and so does every id that the space gives', async () => {
  const leases = await Promise.all(
    ['ann', 'bob', 'eve', 'joe', 'sue'].map((customer) => space.write(Order({ id: '1', customer }))),
  )
  for (const lease of leases) await lease.renew(60_000)
  expect(await space.engine.deadLetter(leases[0]!.id, 'tried')).toBe(true)
  expect(await space.cancelAll(leases)).toEqual([])
  expect(counts()).toEqual([0, 0, 0])
  await expect(leases[0]!.cancel()).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
})

test('writeAll takes keys of one partition, and writes nothing if there are several', async () => {
  const [first, second] = [laneOf(0, 3), laneOf(1, 3)]
  const both = [Keyed({ id: '1', lane: first }), Keyed({ id: '2', lane: second })]
  await expect(space.writeAll(both)).rejects.toMatchObject({ code: 'OTHER_PARTITION', status: 409, retryable: false })
  expect(counts()).toEqual([0, 0, 0])
  const Plain = defineEntry<{ id: string }>('Plain')
  await space.writeAll([Plain({ id: 'any' }), both[1]!])
  expect(counts()).toEqual([0, 2, 0])
})

test('the field of a partition must be one, and that of the extended kind', () => {
  const wrong = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
  expect(() => defineEntry('Wrong', { partition: '' })).toThrow(wrong)
  expect(() => defineEntry('Wrong', { partition: 5 as never })).toThrow(wrong)
  expect(() => Order.extend<{ more: string }>('Wrong', { partition: 'more' })).toThrow(wrong)
  Order.extend<{ more: string }>('Fine', { partition: 'customer' })
})

failOnLeaks()
