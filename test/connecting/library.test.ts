/** The function library is verified by its text: what stands under its name without being it is replaced or refused. */
import { afterEach, expect, test } from '@jest/globals'
import { LIBRARY_VERSION } from '../../src/engines/redis/library.generated.js'
import { defineEntry, openSpace } from '../../src/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'

const Job = defineEntry<{ id: number }>('Job')
const NAME = `takespace_${LIBRARY_VERSION}`
const FUNCTIONS = ['batch', 'beat', 'save', 'rights']

/** Answers every call, and has run nothing. */
const foreign = (library: string): string =>
  [
    `#!lua name=${library}`,
    ...FUNCTIONS.map((name) => `redis.register_function('${NAME}_${name}', function() return { 'k', '1', 'x' } end)`),
  ].join('\n')

describeOnRedis('the library', () => {
  let redis: Redis
  afterEach(() => redis.stop())

  const works = async (url: string): Promise<void> => {
    await using space = await openSpace(url)
    await space.write(Job({ id: 1 }))
    expect(await space.takeIfExists(Job)).toMatchObject({ id: 1 })
  }

  test('of another text under its name is replaced, and that is logged', async () => {
    redis = await startRedis()
    await redis.cli('FUNCTION', 'LOAD', foreign(NAME))
    const warnings: string[] = []
    const nothing = (): void => {}
    const warn = (_fields: object, message: string): void => void warnings.push(message)
    await using space = await openSpace(redis.url, { logger: { debug: nothing, info: nothing, error: nothing, warn } })
    expect(warnings).toContainEqual(expect.stringMatching(/another function library stood under the name/))
    await space.write(Job({ id: 1 }))
    expect(await space.takeIfExists(Job)).toMatchObject({ id: 1 })
    await works(redis.url)
  })

  test('of another text is refused if the user may not load functions', async () => {
    redis = await startRedis()
    await redis.cli('ACL', 'SETUSER', 'app', 'on', '>p', '~*', '&*', '+@all', '-function|load')
    const url = `redis://app:p@127.0.0.1:${redis.port}`
    await expect(openSpace(url)).rejects.toMatchObject({
      code: 'REDIS_REFUSED',
      message: expect.stringMatching(/lacks the library takespace_.*takespace load/),
    })
    await redis.cli('FUNCTION', 'LOAD', foreign(NAME))
    await expect(openSpace(url)).rejects.toMatchObject({
      code: 'REDIS_REFUSED',
      message: expect.stringMatching(/another library under the name takespace_.*takespace load/),
    })
    // Loaded by a user who may, the library serves one who may not.
    await works(redis.url)
    await works(url)
  })

  test('is not called if another library has its functions', async () => {
    redis = await startRedis()
    await redis.cli('FUNCTION', 'LOAD', foreign('stranger'))
    await expect(openSpace(redis.url)).rejects.toMatchObject({
      code: 'REDIS_UNSUITABLE',
      message: expect.stringMatching(/Another library has functions of takespace.*FUNCTION DELETE|delete it/),
    })
  })
})

failOnLeaks()
