/** A space leaves a Cluster for one server, and comes back to other partitions: what has a key is found by it, ids of before work. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { form } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { change } from '../promises/session-changes.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import { describeOnRedis } from '../support/every-engine.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { startMove } from './moving.js'

const Item = defineEntry<{ id: number; lane: string }>('Item', { partition: 'lane' })

describeOnRedis('a space that leaves a Cluster', () => {
  let cluster: Cluster
  let fresh: Redis
  beforeAll(async () => {
    cluster = await startCluster({ primaries: 2 })
    fresh = await startRedis()
  })
  afterAll(async () => {
    await cluster?.stop()
    await fresh?.stop()
  })

  test('has everything at the one server, found by key and without, in the order of each partition', async () => {
    const name = 'clustered'
    const space = await openSpace(cluster.url, { name, partitions: 2, nextUrl: fresh.url, durability: 'memory' })
    const leases = await Promise.all(
      Array.from({ length: 120 }, (_, id) => space.write(Item({ id, lane: `lane ${id % 6}` }), { leaseMs: 600_000 })),
    )
    for (let i = 0; i < 10; i++) await space.engine.sessions.save(`$${i}`, change({ a: `${i}` }, { isNew: true }))
    const move = await startMove({ old: cluster, fresh }, name)
    await move.done
    await leases[3]!.renew(700_000)
    await leases[4]!.cancel()
    const alone = await openSpace(fresh.url, { name })
    const lane = Item.template({ lane: 'lane 5' })
    const ids: number[] = []
    for (let item = await alone.takeIfExists(lane); item; item = await alone.takeIfExists(lane)) ids.push(item.id)
    expect(ids).toEqual(Array.from({ length: 20 }, (_, i) => i * 6 + 5))
    expect(await alone.takeAll([Item], { max: 1_000, waitMs: 0 })).toHaveLength(99)
    expect(await alone.engine.sessions.count()).toBe(10)
    expect(await violations(fresh, name)).toEqual([])
    await Promise.all([space.close(), alone.close()])
  })

  testInLongForm('comes back to three partitions, each entry where its key belongs, in order', async () => {
    const name = 'returned'
    const there = await openSpace(cluster.url, { name, partitions: 2, nextUrl: fresh.url, durability: 'memory' })
    const leases = await Promise.all(
      Array.from({ length: 60 }, (_, id) => there.write(Item({ id, lane: `lane ${id % 6}` }), { leaseMs: 600_000 })),
    )
    await (await startMove({ old: cluster, fresh }, name)).done
    await there.close()
    // This process defines the kind, and only reads.
    const nextUrl = `${cluster.url}?partitions=3`
    const back = await openSpace(fresh.url, { name, nextUrl, durability: 'memory' })
    await (await startMove({ old: fresh, fresh: { url: nextUrl } }, name)).done
    await expect(openSpace(fresh.url, { name })).rejects.toMatchObject({ code: 'SPACE_MOVES' })
    const alone = await openSpace(cluster.url, { name, durability: 'memory' })
    for (let lane = 0; lane < 6; lane++) {
      const ids: number[] = []
      for await (const item of alone.contents(Item.template({ lane: `lane ${lane}` }))) ids.push(item.id)
      expect(ids).toEqual(Array.from({ length: 10 }, (_, i) => i * 6 + lane))
    }
    for (const { id } of leases) expect(await alone.engine.cancel(id)).toBe(true)
    await Promise.all([back.close(), alone.close()])
    // A process that is restarted with both addresses after that.
    const again = await openSpace(fresh.url, { name, nextUrl, durability: 'memory' })
    expect(await again.readIfExists(Item)).toBeNull()
    await again.writeAll(Array.from({ length: 30 }, (_, id) => Item({ id, lane: 'lane' })))
    await again.close()
    const more = [
      [cluster.url, fresh.url],
      [fresh.url, `${cluster.url}?partitions=2`],
    ] as const
    for (const [url, to] of form<readonly (readonly [string, string])[]>([], more)) {
      const both = await openSpace(url, { name, nextUrl: to, durability: 'memory' })
      await (await startMove({ old: { url }, fresh: { url: to } }, name)).done
      await both.close()
      await expect(openSpace(url, { name })).rejects.toMatchObject({ code: 'SPACE_MOVES' })
      const there = await openSpace(to, { name, durability: 'memory' })
      const ids: number[] = []
      for await (const item of there.contents(Item.template({ lane: 'lane' }))) ids.push(item.id)
      expect(ids).toEqual(Array.from({ length: 30 }, (_, id) => id))
      await there.close()
    }
  })
})

failOnLeaks()
