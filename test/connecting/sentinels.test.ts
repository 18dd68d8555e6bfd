/** A space behind Sentinels: the primary is found by its name, and found again after a failover. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClient, createScheduler, defineEntry, isSpaceError, openSpace } from '../../src/index.js'
import { createWorker } from '../../workers/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')
const LARGE = 'x'.repeat(50_000)

describeOnRedis('a space behind Sentinels', () => {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-sentinels-'))
  let replicas: Replicas
  let names = 0
  const name = (): string => `sentinels ${++names}`
  beforeAll(async () => {
    replicas = await startReplicas({ password: 'secret', sentinelPassword: 'watch?' })
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await replicas.stop()
  })

  test('is opened by the name of its primary, with the passwords of both, and waits for one replica', async () => {
    const file = join(folder, 'password')
    writeFileSync(file, 'watch?\n')
    const url = replicas.url.replace(/sentinelPassword=.*/, `sentinelPasswordFile=${file}`)
    await using space = await openSpace(url, { name: name() })
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
    await space.write(Job({ id: 2 }))
    expect(await waiting).toMatchObject({ id: 2 })
    expect(await other.take(Job)).toMatchObject({ id: 1 })
    expect(await other.takeIfExists(Job)).toBeNull()
  })

  test('runs later tasks, also after a failover', async () => {
    const named = name()
    await using space = await openSpace(replicas.url, { name: named })
    await createScheduler({ space }).start()
    await createWorker({ space, tasks: { double: async (n: number) => 2 * n } }).start()
    const client = createClient({ space })
    const resultOf = async (n: number): Promise<unknown> =>
      (await client.enqueue('double', n, { delayMs: 1 })).result({ waitMs: 20_000 })
    expect(await resultOf(1)).toBe(2)
    await replicas.failover()
    await replicas.settled()
    expect(await resultOf(2)).toBe(4)
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
