/** Promise 8: what the levels of one server keep when its process is killed and started again (docs/durability.md). */
import { afterEach, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, type RedisOptions, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Kept = defineEntry<{ n: number }>('Kept')
const ENTRIES = 100

let redis: Redis
let space: Space
afterEach(async () => {
  await space.close()
  await redis.stop()
})

async function open(options: RedisOptions): Promise<void> {
  redis = await startRedis(options)
  space = await openSpace(redis.url)
  await Promise.all(Array.from({ length: ENTRIES }, (_, n) => space.write(Kept({ n }))))
}

async function keptAfterAKill(): Promise<number> {
  await redis.kill()
  await redis.restart()
  // The process that wrote them goes on with a server that may have forgotten it.
  const { length } = await space.takeAll([Kept], { max: 2 * ENTRIES, waitMs: 0 })
  return length
}

test('memory: a server without a file loses all', async () => {
  await open({})
  expect(space.durability).toBe('memory')
  expect(await keptAfterAKill()).toBe(0)
})

test('local: what was in the file is there', async () => {
  await open({ appendonly: true })
  expect(space.durability).toBe('local')
  // While a sync of the disk is slow, Redis holds back what it has answered.
  const written = async () => /aof_buffer_length:0\r?$/m.test(await redis.cli('INFO', 'persistence'))
  await until(written, 'Redis has written to its file')
  expect(await keptAfterAKill()).toBe(ENTRIES)
})

test('fsync: all that was acknowledged is there', async () => {
  await open({ appendonly: true, appendfsync: 'always' })
  expect(space.durability).toBe('fsync')
  expect(await keptAfterAKill()).toBe(ENTRIES)
})

failOnLeaks()
