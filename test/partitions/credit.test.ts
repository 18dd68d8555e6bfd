/** The credit of an offer over several partitions: never offered twice, and never idle where something else waits. */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Delivery } from '../../src/engine.js'
import { templateOf } from '../../src/entry/template.js'
import { serveRequests } from '../../src/request.js'
import { Space } from '../../src/space.js'
import { OK, outcomeOf, send } from '../faults/requests.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { partitionedOnRedis } from '../support/partitioned.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { Keyed, laneOf, spaceOn, worldsOf } from './spaces.js'
import { program, run } from './taking-with-credit.js'

const { PARTITION_PROGRAMS } = process.env

describe('in memory', () => {
  test('takers hold no more than their credit, no entry has two holders, and every entry is taken in the end', async () => {
    await fc.assert(
      fc.asyncProperty(program(fc.integer({ min: 1, max: 4 })), async (steps) => {
        const worlds = worldsOf(steps.partitions)
        const spaces = [spaceOn(worlds), spaceOn(worlds)]
        try {
          await run(steps, spaces)
        } finally {
          await Promise.all(spaces.map((space) => space.close()))
        }
      }),
      { numRuns: Number(PARTITION_PROGRAMS ?? 60) },
    )
  })

  test('all credit of an offer goes where entries wait', async () => {
    const worlds = worldsOf(3)
    const space = spaceOn(worlds)
    const held: Delivery[] = []
    const completeAll = (all: Delivery[]): Promise<boolean[]> =>
      Promise.all(all.map((delivery) => space.engine.complete(delivery, Buffer.alloc(0), 1)))
    await space.engine.offer(templateOf(Keyed).encoded, 5, (delivery) => held.push(delivery))
    for (const partition of [0, 1, 2, 0]) {
      const lane = laneOf(partition, 3)
      await space.writeAll(Array.from({ length: 10 }, (_, i) => Keyed({ id: `${i}`, lane })))
      await until(() => held.length === 5, `five of partition ${partition} are held`)
      expect(held.map(({ id }) => id.endsWith(`~${partition}`))).toEqual(Array(5).fill(true))
      await completeAll(held.splice(0))
      await until(() => held.length === 5, 'the other five are held')
      await completeAll(held.splice(0))
    }
    await space.close()
  })

  test('a worker with one slot serves every partition', async () => {
    const worlds = worldsOf(4)
    const space = spaceOn(worlds)
    const serving = await serveRequests(space, 'web', 1, (taken) => void taken.complete(OK))
    const sent = Array.from({ length: 40 }, (_, i) => send(space, `/${i}`, { repeatable: true }))
    expect(new Set(await Promise.all(sent.map(outcomeOf)))).toEqual(new Set(['200']))
    await serving.stop()
    await space.close()
  })
})

describeOnRedis('on Redis', () => {
  test('takers hold no more than their credit, no entry has two holders, and every entry is taken in the end', async () => {
    const redis: Redis = await startRedis()
    let names = 0
    const open = async (name: string, partitions: number): Promise<Space> => {
      const parts = Array.from({ length: partitions }, (_, i) => `${name}/${i}`)
      return new Space(await partitionedOnRedis(redis.url, parts), 'redis')
    }
    try {
      await fc.assert(
        fc.asyncProperty(program(fc.constant(3)), async (steps) => {
          const name = `credit${++names}`
          const spaces = [await open(name, steps.partitions), await open(name, steps.partitions)]
          try {
            await run(steps, spaces)
          } finally {
            await Promise.all(spaces.map((space) => space.close()))
          }
        }),
        { numRuns: Number(PARTITION_PROGRAMS ?? 10) },
      )
    } finally {
      await redis.stop()
    }
  })
})

failOnLeaks()
