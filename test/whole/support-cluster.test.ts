/** The tests' own Cluster does what the tests of clusters rely on. */
import { afterAll, beforeAll, expect } from '@jest/globals'
import { testInLongForm } from '../faults/long-form.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import { failOnLeaks } from '../support/leaks.js'
import { command } from '../support/resp.js'
import { survivors } from '../support/watchdog.js'

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ nodeTimeoutMs: 500 })
})
afterAll(() => cluster.stop())

/** Of a name that is in a slot of its own. */
const keysOf = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `{${name}}:${i}`)

testInLongForm('three primaries share the slots, and each has a replica', async () => {
  const primaries = await cluster.primaries()
  expect(primaries).toEqual(cluster.nodes.slice(0, 3))
  expect(cluster.url).toBe(`redis+cluster://${primaries.map(({ port }) => `127.0.0.1:${port}`).join(',')}`)
  const slots = await Promise.all(primaries.map((node) => cluster.slotsOf(node)))
  expect(slots.map(({ length }) => length)).toEqual([5462, 5462, 5460])
  for (const replica of cluster.nodes.slice(3)) expect(await replica.cli('ROLE')).toMatch(/^slave\n/)
  expect(await cluster.ownerOf('{ts:default}:m')).toBe(await cluster.ownerOf('{ts:default}:entries'))
})

testInLongForm('slots move with their keys', async () => {
  const owner = await cluster.ownerOf('{moving}')
  const [to] = (await cluster.primaries()).filter((node) => node !== owner)
  const keys = keysOf('moving', 25)
  for (const key of keys) await owner.cli('SET', key, `of ${key}`)
  const [slot = -1] = await cluster.usedSlots(owner)
  expect(slot).toBe(Number(await owner.cli('CLUSTER', 'KEYSLOT', '{moving}')))
  const [next = 0] = (await cluster.slotsOf(owner)).filter((each) => each !== slot)
  await cluster.moveSlots(owner, to!, [slot, next])
  expect(await cluster.ownerOf('{moving}')).toBe(to)
  for (const key of keys) expect(await to?.cli('GET', key)).toBe(`of ${key}`)
  await expect(owner.cli('GET', keys[0]!)).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to?.port}`)
})

testInLongForm('the replica of a killed primary is promoted, while the others serve their slots', async () => {
  const old = await cluster.ownerOf('{failing}')
  await old.cli('SET', '{failing}', 'kept')
  expect(await old.cli('WAIT', '0', '1')).toMatch(/\d/)
  const [other] = (await cluster.primaries()).filter((node) => node !== old)
  const [slot] = await cluster.slotsOf(other!)
  await old.kill()
  expect(await other?.cli('CLUSTER', 'COUNTKEYSINSLOT', String(slot))).toBe('0')
  const next = await cluster.promoted(old)
  expect(next).not.toBe(old)
  expect(await cluster.ownerOf('{failing}')).toBe(next)
  expect(await next.cli('SET', '{failing}', 'again')).toBe('OK')
  await old.restart()
  await cluster.settled()
  expect(await old.cli('ROLE')).toMatch(/^slave\n/)
})

testInLongForm('a node is added, gets slots, and is removed again', async () => {
  const owner = await cluster.ownerOf('{joining}')
  const added = await cluster.addNode()
  expect(await cluster.slotsOf(added)).toEqual([])
  const slot = Number(await owner.cli('CLUSTER', 'KEYSLOT', '{joining}'))
  await owner.cli('SET', '{joining}', 'there')
  await cluster.moveSlots(owner, added, [slot])
  expect(await added.cli('GET', '{joining}')).toBe('there')
  expect(await cluster.primaries()).toContain(added)
  await cluster.removeNode(added, owner)
  expect(await cluster.ownerOf('{joining}')).toBe(owner)
  expect(await owner.cli('GET', '{joining}')).toBe('there')
  expect(cluster.nodes).toHaveLength(6)
  await expect(command(added.port, ['PING'])).rejects.toThrow('ECONNREFUSED')
})

testInLongForm('leaves nothing behind', async () => {
  await cluster.stop()
  expect(survivors()).toEqual([])
})

failOnLeaks()
