/** One of several Redis servers is gone: the partitions on the others go on, and its own when it is back. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { type HeldRequest, serveRequests } from '../../src/request.js'
import { Space } from '../../src/space.js'
import { OK, outcomeOf, send } from '../faults/requests.js'
import { describeOnRedis } from '../support/every-engine.js'
import { Other } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { partitionedOnRedis } from '../support/partitioned.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { Keyed, laneOf } from './spaces.js'

const Plain = defineEntry<{ id: string }>('Plain')
const LANES = [laneOf(0, 3), laneOf(1, 3), laneOf(2, 3)] as const

describeOnRedis('with a server for each partition', () => {
  let servers: Redis[]
  let space: Space
  let other: Space
  const open = async (): Promise<Space> => {
    const urls = servers.map(({ url }) => url)
    return new Space(await partitionedOnRedis(urls, ['away/0', 'away/1', 'away/2']), 'redis')
  }
  beforeAll(async () => {
    servers = await Promise.all([startRedis(), startRedis(), startRedis()])
    space = await open()
    other = await open()
  })
  afterAll(async () => {
    await Promise.all([space.close(), other.close()])
    await Promise.all(servers.map((server) => server.stop()))
  })

  /** Ends the middle one, until it is started again. */
  const away = async (): Promise<void> => {
    await servers[1]!.kill()
    await until(() => !space.engine.isReachable && !other.engine.isReachable, 'both know that it is away')
  }
  const back = async (): Promise<void> => {
    await servers[1]!.restart()
    await until(() => space.engine.isReachable && other.engine.isReachable, 'both have it again')
  }

  test('writes go to the others, takes find what is there, and what names the one that is away says so', async () => {
    await away()
    for (let i = 0; i < 6; i++) await space.write(Plain({ id: `${i}` }))
    const taken: string[] = []
    for (let i = 0; i < 6; i++) taken.push((await other.take(Plain)).id)
    expect(taken.sort()).toEqual(['0', '1', '2', '3', '4', '5'])
    const waiting = other.take(Plain)
    await space.write(Plain({ id: 'late' }))
    expect(await waiting).toEqual({ id: 'late' })
    const refused = { code: 'SPACE_UNREACHABLE' }
    await Promise.all([
      expect(space.write(Keyed({ id: 'a', lane: LANES[1] }))).rejects.toMatchObject(refused),
      expect(other.takeIfExists(Other)).rejects.toMatchObject(refused),
      expect(other.takeAll([Other], { waitMs: 0 })).rejects.toMatchObject(refused),
    ])
    await back()
  })

  test('a take that waited before, and one that began while it was away, get what is written there when it is back', async () => {
    const before = other.take(Keyed.template({ id: 'first' }))
    await away()
    const during = other.take(Keyed.template({ id: 'second' }))
    await back()
    await space.write(Keyed({ id: 'first', lane: LANES[1] }))
    await space.write(Keyed({ id: 'second', lane: LANES[1] }))
    expect([(await before).id, (await during).id]).toEqual(['first', 'second'])
  })

  test('requests go to the others, with all the credit of a worker, and its own are served when it is back', async () => {
    const held: HeldRequest[] = []
    const serving = await serveRequests(other, 'web', 6, (taken) => held.push(taken))
    await away()
    const sent = Array.from({ length: 12 }, (_, i) => send(space, `/${i}`, { repeatable: true }))
    await until(() => held.length === 6, 'all six slots are used')
    const answers = Promise.all(sent.map(outcomeOf))
    let answered = 0
    while (answered < 12) {
      await until(() => held.length > 0, 'another request')
      for (const taken of held.splice(0)) {
        answered++
        expect(await taken.complete(OK)).toBe(true)
      }
    }
    expect(new Set(await answers)).toEqual(new Set(['200']))
    await back()
    // Twice as many as slots, in all partitions: the credit is whole.
    const again = Array.from({ length: 12 }, (_, i) => send(space, `/again/${i}`, { repeatable: true }))
    await until(() => held.length === 6, 'all six slots are used again')
    await space.engine.renew('nobody', 1)
    expect(held).toHaveLength(6)
    const last = Promise.all(again.map(outcomeOf))
    for (answered = 0; answered < 12; answered++) {
      await until(() => held.length > 0, 'another request')
      await held.shift()!.complete(OK)
    }
    expect(new Set(await last)).toEqual(new Set(['200']))
    await serving.stop()
  })
})

failOnLeaks()
