/** A space behind Sentinels: the primary is found by its name, and found again after a failover. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry, isSpaceError, openSpace, type Space } from '../../src/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')
const LARGE = 'x'.repeat(50_000)

/** What the old primary had not replicated is lost with it, and its writer learns that. */
async function surelyWritten(space: Space, id: number): Promise<void> {
  const error = await space.write(Job({ id })).catch((error: unknown) => error)
  if (!isSpaceError(error, 'OUTCOME_UNKNOWN')) return
  await space.write(Job({ id }))
}

describeOnRedis('a space behind Sentinels', () => {
  let replicas: Replicas
  let names = 0
  const name = (): string => `sentinels ${++names}`
  beforeAll(async () => {
    replicas = await startReplicas({ password: 'secret', sentinelPassword: 'watch?' })
  })
  afterAll(() => replicas.stop())

  test('is opened by the name of its primary, with the passwords of both, and waits for one replica', async () => {
    await using space = await openSpace(replicas.url, { name: name() })
    expect(space.durability).toBe('replicated:1')
    await space.write(Job({ id: 1, text: LARGE }))
    expect(await space.take(Job)).toMatchObject({ id: 1 })
  })

  test('goes on after a failover: what stood is there, and what waits is served', async () => {
    const named = name()
    await using space = await openSpace(replicas.url, { name: named })
    await using other = await openSpace(replicas.url, { name: named })
    await space.write(Job({ id: 1 }))
    const waiting = other.take(Job.template({ id: 2 }))
    await replicas.failover()
    await surelyWritten(space, 2)
    expect(await waiting).toMatchObject({ id: 2 })
    expect(await other.take(Job)).toMatchObject({ id: 1 })
    expect(await other.takeIfExists(Job)).toBeNull()
  })

  test.each([
    [
      'another name',
      (url: string) => url.replace(/\/[^/?]+(\?|$)/, '/nobody$1'),
      'SPACE_UNREACHABLE',
      /knows no primary named nobody/,
    ],
    ['no password of the Sentinels', (url: string) => url.replace(/\?.*$/, ''), 'REDIS_REFUSED', /NOAUTH/],
    [
      'a level that too few replicas give',
      (url: string) => url,
      'DURABILITY_UNAVAILABLE',
      /Asked for replicated:3, it has 2/,
    ],
  ])('%s is refused', async (_what, changed, code, says) => {
    await replicas.settled()
    const durability = code === 'DURABILITY_UNAVAILABLE' ? 'replicated:3' : undefined
    const opened = openSpace(changed(replicas.url), { durability, connectTimeoutMs: 1_500 })
    const error = await opened.catch((error: unknown) => error)
    expect(isSpaceError(error) && [error.code, error.message]).toEqual([code, expect.stringMatching(says)])
  })
})

failOnLeaks()
