/** The durability level holds for every server that is found while a space is open. */
import { afterEach, expect, test } from '@jest/globals'
import { defineEntry, openSpace } from '../../src/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number }>('Job')

describeOnRedis('a server that keeps less than the one before', () => {
  let redis: Redis
  afterEach(() => redis.stop())
  const forgetful = async (): Promise<void> => {
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
  }

  test('is used if no level was asked for, and space.durability tells', async () => {
    redis = await startRedis({ appendonly: true })
    const warnings: string[] = []
    const nothing = (): void => {}
    const warn = (_fields: object, message: string): void => void warnings.push(message)
    await using space = await openSpace(redis.url, { logger: { debug: nothing, info: nothing, error: nothing, warn } })
    expect(space.durability).toBe('local')
    await forgetful()
    await until(() => space.durability === 'memory', 'the level is told')
    await space.write(Job({ id: 1 }))
    expect(warnings).toContainEqual(expect.stringMatching(/keeps less than the one before/))
  })

  test('is not used if a level was asked for: nothing is acknowledged until there is one that keeps it', async () => {
    redis = await startRedis({ appendonly: true })
    await using space = await openSpace(redis.url, { durability: 'local' })
    await forgetful()
    await until(async () => !(await space.engine.health()).connected, 'the link is lost')
    const written = space.write(Job({ id: 1 }))
    const isWritten = await Promise.race([
      written.then(() => true),
      new Promise((resolve) => setImmediate(resolve, false)),
    ])
    expect(isWritten).toBe(false)
    await redis.cli('CONFIG', 'SET', 'appendonly', 'yes')
    await written
    expect(space.durability).toBe('local')
  })
})

failOnLeaks()
