/** A space moves to another server while programs use it: every entry moves once, and no find misses one that is there. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { RedisEngine } from '../../src/engines/redis/index.js'
import { rightsOf } from '../../src/engines/redis/roles.js'
import { defineEntry } from '../../src/entry.js'
import { silent } from '../../src/log.js'
import { openSpace } from '../../src/open.js'
import { createScheduler } from '../../src/scheduler.js'
import { Space } from '../../src/space.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { openBoth, type Servers, startMove, startServers } from './moving.js'

const Item = defineEntry<{ id: string; body?: string }>('Item')

describeOnRedis('entries of a space that moves', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers.stop())

  test('all entries are there afterwards, with their order, priority and lease, large ones too', async () => {
    const name = 'kept'
    const space = await openBoth(servers, name)
    const large = 'x'.repeat(10_000)
    for (let i = 0; i < 300; i++) {
      await space.write(Item({ id: `${i}`, ...(i % 50 === 0 && { body: large }) }), { priority: i % 3 })
    }
    const lease = await space.write(Item({ id: 'leased' }), { leaseMs: 60_000, priority: -1 })
    const move = await startMove(servers, name)
    await move.done
    const moved = await openSpace(servers.fresh.url, { name })
    await expect(openSpace(servers.old.url, { name })).rejects.toMatchObject({ code: 'SPACE_MOVES' })
    expect(Number(await servers.old.cli('HLEN', `{ts:${name}}:entries`))).toBe(0)
    await space.write(Item({ id: 'later' }), { priority: 2 })
    const ids: string[] = []
    for (let entry = await moved.takeIfExists(Item); entry; entry = await moved.takeIfExists(Item)) {
      ids.push(entry.id)
      if (Number(entry.id) % 50 === 0) expect(entry.body).toBe(large)
      if (entry.id === '299') expect(await lease.renew(50_000)).toBeUndefined()
    }
    const inOrder = (priority: number): string[] =>
      Array.from({ length: 300 }, (_, i) => i)
        .filter((i) => i % 3 === priority)
        .map(String)
    expect(ids).toEqual([...inOrder(2), 'later', ...inOrder(1), ...inOrder(0), 'leased'])
    // A process that was away while the space moved learns of it within a second; until then it writes nothing there.
    const late = { name, durability: undefined, connectTimeoutMs: 5_000, logger: silent, bounds: {}, access: {} }
    const engine = await RedisEngine.open(servers.old.url, { ...late, isMoving: true })
    await expect(new Space(engine, name).write(Item({ id: 'late' }))).rejects.toMatchObject({ code: 'SPACE_FULL' })
    await engine.close()
    await Promise.all([space.close(), moved.close()])
  })

  test('a user with the rights of a mover moves entries and the queue of the scheduler', async () => {
    const name = 'rights'
    const space = await openBoth(servers, name)
    await space.writeAll([Item({ id: 'small' }), Item({ id: 'large', body: 'x'.repeat(5_000) })])
    const scheduler = createScheduler({ space, stopTimeoutMs: 200 })
    await scheduler.start()
    await createClient({ space }).enqueue('later', 1, { delayMs: 3_600_000 })
    const delayed = `bull:takespace.${name}:delayed`
    await until(async () => (await servers.old.cli('ZCARD', delayed)) === '1', 'the task is in the queue')
    const rights = rightsOf('mover', { space: name, database: 0, loads: false })
    const asMover = async ({ url, cli }: Redis): Promise<{ url: string }> => {
      await cli('ACL', 'SETUSER', 'mover', 'reset', 'on', '>secret', ...rights)
      return { url: url.replace('://', '://mover:secret@') }
    }
    const move = await startMove({ old: await asMover(servers.old), fresh: await asMover(servers.fresh) }, name)
    await move.done
    expect(await space.takeAll([Item], { waitMs: 0 })).toHaveLength(2)
    expect(await servers.fresh.cli('ZCARD', delayed)).toBe('1')
    await space.close()
  })

  test('what cannot be a move is refused: the same server twice, a new address with entries', async () => {
    const { old, fresh } = servers
    await expect(openSpace(old.url, { name: 'same', nextUrl: old.url })).rejects.toThrow('addresses of one server')
    await expect(openSpace('memory:', { nextUrl: fresh.url })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const taken = await openSpace(fresh.url, { name: 'taken' })
    await taken.write(Item({ id: 'theirs' }))
    await taken.close()
    const move = await startMove(servers, 'taken')
    await expect(move.done).rejects.toThrow('a space moves into an empty one')
    // Nothing has changed for those who have one of the addresses.
    for (const { url } of [old, fresh]) await (await openSpace(url, { name: 'taken' })).close()
  })
})

failOnLeaks()
