/** What opening a space promises: it works, or it says within its time what is wrong and what to do. */
import { inspect } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { AnyEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type RedisOptions, startRedis } from '../support/redis.js'

describe('opening a space', () => {
  test.each([
    ['a scheme that nobody knows', 'http://127.0.0.1', 'URL_UNKNOWN'],
    ['no address', '', 'URL_UNKNOWN'],
    ['half an address', 'redis://', undefined],
  ])('%s', async (_what, url, code) => {
    const opened = openSpace(url, { connectTimeoutMs: 1 })
    await expect(opened).rejects.toMatchObject({ code: code ?? 'SPACE_UNREACHABLE' })
  })

  test.each([
    ['an empty name', { name: '' }],
    ['a name of a thousand characters', { name: 'x'.repeat(1_000) }],
  ])('%s is refused', async (_what, options) => {
    await expect(openSpace('memory:', options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('in memory nothing more than memory is promised', async () => {
    await expect(openSpace('memory:', { durability: 'local' })).rejects.toMatchObject({
      code: 'DURABILITY_UNAVAILABLE',
    })
    await using space = await openSpace('memory:')
    expect(space.durability).toBe('memory')
  })

  test.each([
    ['a password', 'redis://u:s%zzcret@127.0.0.1'],
    ['a user', 'redis://s%zzcret:s%zzcret@127.0.0.1'],
    ['a port', 'redis://u:s%zzcret@127.0.0.1:port'],
  ])('%s that is none: the address is not understood, and no password is shown', async (_what, url) => {
    const error = await openSpace(url).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'URL_UNKNOWN', message: expect.stringContaining('Use redis://host:6379') })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/zz|cret@/)
  })

  test('no server there: an error within connectTimeoutMs that says what to try', async () => {
    const port = await freePort()
    const from = performance.now()
    const opened = openSpace(`redis://:secret@127.0.0.1:${port}`, { connectTimeoutMs: 300 })
    const error = await opened.catch((reason) => reason)
    expect(error).toMatchObject({ code: 'SPACE_UNREACHABLE', status: 503 })
    expect(error.message).toContain('takespace dev')
    expect(JSON.stringify([error.message, error.stack, String(error.cause)])).not.toContain('secret')
    // The default.
    expect(performance.now() - from).toBeLessThan(5_000)
  })

  const onServer = async (options: RedisOptions, check: (url: string) => Promise<void>): Promise<void> => {
    const redis = await startRedis(options)
    try {
      await check(redis.url)
    } finally {
      await redis.stop()
    }
  }

  test('a wrong password is refused at once, and said to be that', () =>
    onServer({ args: ['--requirepass', 'right'] }, async (url) => {
      const wrong = url.replace('redis://', 'redis://:wrong@')
      await expect(openSpace(wrong)).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
      await expect(openSpace(url)).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
      await using space = await openSpace(url.replace('redis://', 'redis://:right@'))
      expect(space.durability).toBe('memory')
    }))

  test('a server that evicts is refused', () =>
    onServer({ args: ['--maxmemory-policy', 'allkeys-lru'] }, async (url) => {
      await expect(openSpace(url)).rejects.toMatchObject({ code: 'REDIS_EVICTS' })
    }))

  test('a level that was asked for and is not given is refused; a default that is not given is told', () =>
    onServer({}, async (url) => {
      await expect(openSpace(url, { durability: 'local' })).rejects.toMatchObject({ code: 'DURABILITY_UNAVAILABLE' })
      const warnings: string[] = []
      const logger = {
        debug() {},
        info() {},
        error() {},
        warn: (_: object, message: string) => void warnings.push(message),
      }
      await using space = await openSpace(url, { logger })
      expect(space.durability).toBe('memory')
      expect(warnings).toEqual([expect.stringContaining('appendonly')])
    }))

  test('the level is what the server gives', () =>
    onServer({ appendonly: true, appendfsync: 'always' }, async (url) => {
      await using space = await openSpace(url, { durability: 'local' })
      expect(space.durability).toBe('fsync')
    }))

  test('a space that was written by a newer takespace is refused', () =>
    onServer({}, async (url) => {
      await using space = await openSpace(url, { name: 'shared' })
      expect(space.name).toBe('shared')
      const redis = await import('ioredis').then(({ Redis }) => new Redis(url))
      // The counters as a later release would leave them: the same map with another layout, which its sum includes.
      const later =
        "local m = cmsgpack.unpack(redis.call('GET', KEYS[1])) m.layout = 99 m.sum = m.sum + 95 redis.call('SET', KEYS[2], cmsgpack.pack(m))"
      await redis.eval(later, 2, '{ts:shared}:m', '{ts:newer}:m')
      redis.disconnect()
      await expect(openSpace(url, { name: 'newer' })).rejects.toMatchObject({ code: 'DATA_NEWER' })
    }))

  test('a space that an older takespace has written is refused while anything is in it, and taken over when it is empty', () =>
    onServer({}, async (url) => {
      await using space = await openSpace(url, { name: 'shared' })
      const redis = await import('ioredis').then(({ Redis }) => new Redis(url))
      // The counters and the entries as the layout before left them.
      const older =
        "local m = cmsgpack.unpack(redis.call('GET', KEYS[1])) m.layout = 1 m.sum = nil redis.call('SET', KEYS[2], cmsgpack.pack(m)) redis.call('HSET', KEYS[3], 'id', 'a record')"
      await redis.eval(older, 3, `{ts:${space.name}}:m`, '{ts:older}:m', '{ts:older}:e')
      await expect(openSpace(url, { name: 'older' })).rejects.toMatchObject({ code: 'DATA_OLDER' })
      await redis.del('{ts:older}:e')
      await using taken = await openSpace(url, { name: 'older' })
      expect(await taken.takeIfExists(AnyEntry)).toBeNull()
      redis.disconnect()
    }))
})

failOnLeaks()
