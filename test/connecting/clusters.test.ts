/** A space on a Cluster: its partitions are at all nodes, their number stays, and one user with least rights can use it. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { partitionTag, slotOf } from '../../src/engines/redis/slot.js'
import { createClient, createScheduler, defineEntry, openSpace, type Space } from '../../src/index.js'
import { SpaceSessionStore } from '../../src/session/index.js'
import { createWorker } from '../../workers/index.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import type { ClusterNode } from '../support/cluster-node.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')
const LARGE = 'x'.repeat(50_000)
const SLOTS = 16_384

describeOnRedis('a space on a Cluster', () => {
  let cluster: Cluster
  const opened: Space[] = []
  const open = async (name: string, options: object = {}, url = cluster.url): Promise<Space> => {
    const space = await openSpace(url, { name, durability: 'memory', ...options })
    opened.push(space)
    return space
  }
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 })
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((space) => space.close()))
  })
  afterAll(() => cluster.stop())

  test('has a partition at each primary, and what is written anywhere is found from everywhere', async () => {
    const space = await open('spread')
    const other = await open('spread')
    for (let id = 0; id < 12; id++) await space.write(Job({ id, ...(id % 4 === 0 && { text: LARGE }) }))
    const used = await Promise.all((await cluster.primaries()).map((node) => node.cli('KEYS', '{ts:spread/*:entries')))
    expect(used.every((keys) => keys !== '')).toBe(true)
    const seen: number[] = []
    for await (const { id } of other.contents(Job)) seen.push(id)
    const taken = await Promise.all(Array.from({ length: 12 }, () => other.take(Job)))
    const ids = Array.from({ length: 12 }, (_, i) => i)
    for (const list of [seen, taken.map(({ id }) => id)]) expect(list.toSorted((a, b) => a - b)).toEqual(ids)
    expect(await space.takeIfExists(Job)).toBeNull()
  })

  test('goes on while the slot of a partition moves and comes back: nothing is lost, and nobody hears of it', async () => {
    const space = await open('moved')
    const other = await open('moved')
    const written: number[] = []
    const taken: number[] = []
    let isOver = false
    const writing = (async () => {
      for (let id = 0; !isOver; id++) {
        await space.write(Job({ id, ...(id % 10 === 0 && { text: LARGE }) }))
        written.push(id)
      }
    })()
    const taking = (async () => {
      while (!isOver || taken.length < written.length) {
        const job = await other.take(Job, { waitMs: 100 })
        if (job) taken.push(job.id)
      }
    })()
    const [from, to] = (await cluster.primaries()) as [ClusterNode, ClusterNode]
    for (const [source, target] of [
      [from, to],
      [to, from],
    ] as const) {
      const before = taken.length
      await until(() => taken.length > before + 20, 'entries pass')
      await cluster.moveSlots(source, target, [slotOf(`{${partitionTag('ts:moved', 0, 3)}}`)])
    }
    isOver = true
    await Promise.all([writing, taking])
    expect(taken.toSorted((a, b) => a - b)).toEqual(written)
  })

  test('divides its bounds among its partitions', async () => {
    const space = await open('bounded', { maxEntries: 6 })
    for (let id = 0; id < 6; id++) await space.write(Job({ id }))
    await expect(space.write(Job({ id: 6 }))).rejects.toMatchObject({ code: 'SPACE_FULL' })
  })

  test('keeps the number of its partitions, and refuses another', async () => {
    await open('kept', { partitions: 5 })
    await open('kept')
    const refused = (url: string, partitions?: number): Promise<void> =>
      expect(openSpace(url, { name: 'kept', partitions })).rejects.toMatchObject({
        code: 'PARTITIONS_DIFFER',
        message: expect.stringMatching(/It has 5, not/),
      })
    await refused(cluster.url, 4)
    await refused(`${cluster.url}?partitions=3`)
    await expect(openSpace('memory:', { partitions: 2 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('serves requests, tasks that are due later, and sessions', async () => {
    const space = await open('served')
    await createWorker({ space, tasks: { double: async (n: number) => 2 * n } }).start()
    const other = await open('served')
    await createScheduler({ space: other }).start()
    const client = createClient({ space: other })
    const doubled = await Promise.all(Array.from({ length: 30 }, (_, n) => client.call('double', n)))
    expect(doubled).toEqual(Array.from({ length: 30 }, (_, n) => 2 * n))
    const ticket = await client.enqueue('double', 21, { delayMs: 1 })
    expect(await ticket.result({ waitMs: 20_000 })).toBe(42)
    const store = new SpaceSessionStore({ space })
    const saved = (id: string): Promise<unknown> =>
      new Promise((resolve) =>
        store.set(id, { cookie: { originalMaxAge: 60_000 }, text: LARGE } as never, (error) => resolve(error)),
      )
    for (const id of ['a', 'b', 'c', 'd']) expect(await saved(id)).toBeFalsy()
    const found = await new Promise((resolve) =>
      new SpaceSessionStore({ space: other }).get('c', (error, it) => resolve(error ?? it)),
    )
    expect(found).toMatchObject({ text: LARGE })
  })

  test('is used with the rights that takespace acl prints, and listed with those of an observer', async () => {
    const nodes = await cluster.primaries()
    const grant = async (role: string): Promise<string> => {
      const printed = startProcess(['takespace', 'acl', role, '--url', cluster.url, '--name', 'least'])
      expect((await printed.exited).code).toBe(0)
      const words = printed
        .output()
        .trim()
        .replace('>PASSWORD', '>secret')
        .match(/"[^"]*"|\S+/g)!
      for (const node of nodes) await node.cli(...words.map((word) => word.replaceAll('"', '')))
      return cluster.url.replace('://', `://${role}:secret@`)
    }
    const space = await open('least', { durability: undefined }, await grant('program'))
    for (let id = 0; id < 6; id++) await space.write(Job({ id, text: LARGE }))
    const url = await grant('observer')
    const observed = async (...args: string[]): Promise<string[]> => {
      const process = startProcess(['takespace', ...args, '--json', '--url', url, '--name', 'least'])
      expect([(await process.exited).code, process.output()]).toEqual([0, expect.anything()])
      return process.output().trim().split('\n')
    }
    expect(await observed('ls', 'Job')).toHaveLength(6)
    const [state] = await observed('top', '--once')
    expect(JSON.parse(state!)).toMatchObject({ rating: 'good', durability: space.durability })
    for (let id = 0; id < 6; id++) expect(await space.take(Job)).toMatchObject({ text: LARGE })
    for (const node of nodes) expect(await node.cli('ACL', 'LOG')).toBe('')
  })
})

test('tags spread any number of partitions evenly over the slots, and every process finds the same', () => {
  for (const count of [1, 2, 3, 7, 16, 256]) {
    for (let index = 0; index < count; index++) {
      const tag = partitionTag('ts:orders', index, count)
      expect(Math.floor((slotOf(`{${tag}}:m`) * count) / SLOTS)).toBe(index)
      expect(partitionTag('ts:orders', index, count)).toBe(tag)
    }
  }
})

failOnLeaks()
