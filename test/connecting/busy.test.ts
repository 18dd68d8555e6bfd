/** A script of another client that blocks Redis: nothing has run, so operations wait, and no link is cut. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { defineEntry, openSpace, type Space } from '../../src/index.js'
import { createWorker } from '../../workers/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')

/** Blocks until FUNCTION KILL. */
const SPIN = `#!lua name=foreign
redis.register_function('spin', function() while true do end end)`

describeOnRedis('while a script of another client blocks Redis', () => {
  let redis: Redis
  let names = 0
  let space: Space
  let other: Space
  beforeAll(async () => {
    redis = await startRedis({ args: ['--busy-reply-threshold', '50'] })
    await redis.cli('FUNCTION', 'LOAD', SPIN)
  })
  beforeEach(async () => {
    const name = `busy ${++names}`
    space = await openSpace(redis.url, { name })
    other = await openSpace(redis.url, { name })
  })
  afterEach(() => Promise.all([space.close(), other.close()]))
  afterAll(() => redis.stop())

  /** Returns what ends the script. */
  const block = async (): Promise<() => Promise<void>> => {
    const over = redis.cli('FCALL', 'spin', '0').catch(() => {})
    const isBusy = (): Promise<boolean> =>
      redis.cli('PING').then(
        () => false,
        (error) => /^BUSY/.test(error.message),
      )
    await until(isBusy, 'Redis is busy')
    return async () => {
      await redis.cli('FUNCTION', 'KILL')
      await over
    }
  }
  const reconnects = async (): Promise<number[]> =>
    Promise.all([space, other].map(async ({ engine }) => (await engine.health()).reconnects))

  test('every operation waits, runs once afterwards, and in order', async () => {
    const waiting = other.take(Job.template({ id: 0 }))
    const unblock = await block()
    const settled: number[] = []
    const written = Array.from({ length: 300 }, (_, id) =>
      space.write(Job({ id, ...(id % 100 === 0 && { text: 'x'.repeat(50_000) }) })).then(() => settled.push(id)),
    )
    const missing = other.takeIfExists(Job.template({ id: 1_000 }))
    // Longer than the pause between two attempts: each of them is refused.
    for (let i = 0; i < 40; i++) await expect(redis.cli('PING')).rejects.toThrow(/^BUSY/)
    expect(settled).toEqual([])
    await unblock()
    await Promise.all(written)
    expect(await missing).toBeNull()
    expect(await waiting).toMatchObject({ id: 0 })
    const taken: number[] = []
    for await (const { id } of other.contents(Job)) taken.push(id)
    expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: 299 }, (_, i) => i + 1))
    expect(await reconnects()).toEqual([0, 0])
  })

  test('requests that a worker holds are kept and answered, each executed once', async () => {
    const executed = new Map<string, number>()
    const worker = createWorker({
      space: other,
      app: (req, res) => {
        executed.set(req.url!, (executed.get(req.url!) ?? 0) + 1)
        if (req.url !== '/held') return res.end('done')
        held = () => res.end('done')
      },
    })
    let held: (() => void) | undefined
    await worker.start()
    const gateway = createGateway({ space, port: 0 })
    await gateway.start()
    const post = (path: string): Promise<number> =>
      fetch(`${gateway.url}${path}`, { method: 'POST', body: 'x' }).then(({ status }) => status)
    const before = post('/held')
    await until(() => held !== undefined, 'a request is held')
    const unblock = await block()
    const during = Array.from({ length: 50 }, (_, i) => post(`/${i}`))
    held!()
    for (let i = 0; i < 40; i++) await expect(redis.cli('PING')).rejects.toThrow(/^BUSY/)
    await unblock()
    expect(await before).toBe(200)
    expect(new Set(await Promise.all(during))).toEqual(new Set([200]))
    expect([...executed.values()]).toEqual(Array(51).fill(1))
    expect(await reconnects()).toEqual([0, 0])
  })

  test('an operation is given up as not run in the end; a waiting take stays', async () => {
    const unblock = await block()
    const waiting = other.take(Job)
    await expect(space.write(Job({ id: 1 }))).rejects.toMatchObject({
      code: 'SPACE_UNREACHABLE',
      message: expect.stringContaining('A script of another client blocks the server.'),
    })
    await unblock()
    await space.write(Job({ id: 2 }))
    expect(await waiting).toMatchObject({ id: 2 })
    expect(await reconnects()).toEqual([0, 0])
  })
})

failOnLeaks()
