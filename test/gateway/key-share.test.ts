/** The store of answers under Idempotency-Keys: its limit is what Redis takes, and no client fills it for the others. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/index.js'
import { requestEntry } from '../../src/request.js'
import { createWorker } from '../../workers/index.js'
import { isLong } from '../faults/form.js'
import { describeOnRedis, everyEngine, testInOnePartition } from '../support/every-engine.js'
import { entriesIn, type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { ask } from './serving.js'

const MOST_BYTES = 120_000

everyEngine('stored answers', (opened) => {
  test('one client fills its share, which is told, and leaves room for the others', async () => {
    const { space, other, violations } = opened()
    const worker = createWorker({ space: other, app: { fetch: () => new Response('x'.repeat(3_000)) } })
    await worker.start()
    const gateway = createGateway({ space, port: 0, idempotency: { maxBytes: MOST_BYTES } })
    await gateway.start()
    const port = Number(new URL(gateway.url).port)
    const post = (key: string, headers: Record<string, string> = {}) =>
      ask(port, { method: 'POST', path: '/', headers: { 'Content-Length': 0, 'Idempotency-Key': key, ...headers } })
    let sent = 0
    let last = await post('0')
    while (last.status === 200 && sent < 100) last = await post(String(++sent))
    expect([last.status, JSON.parse(last.text).code]).toEqual([503, 'KEY_SHARE_FULL'])
    expect(last.headers['retry-after']).toBe('1')
    // Half of the store, with an answer of about 4 KB each.
    expect(sent).toBeGreaterThan(10)
    expect(sent).toBeLessThan(20)
    for (const who of ['ada', 'bob']) {
      const theirs = await post('0', { Authorization: `Bearer ${who}` })
      expect([theirs.status, theirs.body.length]).toEqual([200, 3_000])
    }
    // The stored answer is given again.
    expect((await post('0')).status).toBe(200)
    await worker.stop()
    expect(await violations()).toEqual([])
  })

  testInOnePartition('a share is free again when what is stored there has expired', async () => {
    const { space, violations } = opened()
    const { tickets } = space.engine
    const request = { method: 'POST', target: '/', httpVersion: '1.1', headers: [], body: Buffer.alloc(0), peer: '' }
    const terms = { service: 'web', timeoutMs: 60_000, priority: 0, repeatable: true }
    const open = (id: string) =>
      tickets.open(
        { id, fingerprint: 'f', leaseMs: 60_000, keptMs: 100, maxBytes: 700, owner: 'ada' },
        requestEntry(`${id}.1`, { ...request, secure: false }, terms),
      )
    await open('a')
    await expect(open('b')).rejects.toMatchObject({ code: 'SPACE_FULL', cause: { full: 'share' } })
    await tickets.settle('a', Buffer.from('done'))
    const opens = (): Promise<boolean> =>
      open('b').then(
        () => true,
        () => false,
      )
    await until(opens, 'the stored outcome to expire')
    expect(await violations()).toEqual([])
  })
})

describeOnRedis('the size of stored answers', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  /** Bytes of all keys of a space, as Redis counts them. */
  const keysTake = async (name: string): Promise<number> => {
    let sum = 0
    for (const key of (await redis.cli('KEYS', `{ts:${name}}:*`)).split('\n')) {
      sum += Number(await redis.cli('MEMORY', 'USAGE', key, 'SAMPLES', '0'))
    }
    return sum
  }

  const REFUSED: Readonly<Record<string, () => Response>> = {
    refusal: () => Response.json({ error: 'not found' }, { status: 404 }),
    failure: () => new Response('try again', { status: 503 }),
    exception: () => {
      throw new Error('no')
    },
  }

  // In the short form one of them: they are stored alike.
  test.each(Object.keys(REFUSED).slice(0, isLong ? 3 : 1))('is below 520 bytes each: %s', async (name) => {
    const [space, other] = await Promise.all([1, 2].map(() => openSpace(redis.url, { name })))
    const worker = createWorker({ space: other!, app: { fetch: REFUSED[name]! }, concurrency: 32 })
    await worker.start()
    const gateway = createGateway({ space: space!, port: 0 })
    await gateway.start()
    const port = Number(new URL(gateway.url).port)
    const post = async (key: string): Promise<number> => {
      const headers = { 'Content-Length': 0, 'Idempotency-Key': key }
      return (await ask(port, { method: 'POST', path: '/', headers })).status
    }
    expect(await post('first')).toBeGreaterThanOrEqual(400)
    const before = await keysTake(name)
    const answers = 300
    for (let n = 0; n < answers; n += 30) {
      await Promise.all(Array.from({ length: 30 }, (_, i) => post(String(n + i))))
    }
    const each = ((await keysTake(name)) - before) / answers
    expect(await entriesIn(redis, name)).toBe(answers + 1)
    expect(each).toBeLessThan(520)
    await gateway.stop()
    await worker.stop()
    await Promise.all([space!.close(), other!.close()])
  })

  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await redis.cli('INFO', 'memory'))?.[1])

  test.each(isLong ? [0, 500, 5_000] : [500])('is what Redis takes for them, with bodies of %d bytes', async (size) => {
    const space = await openSpace(redis.url, { name: `of ${size}` })
    const { tickets } = space.engine
    const terms = { service: 'web', timeoutMs: 60_000, priority: 0, repeatable: true }
    const request = { method: 'POST', target: '/', httpVersion: '1.1', headers: [], body: Buffer.alloc(0), peer: '' }
    const most = 1_000_000
    const store = async (n: number): Promise<void> => {
      const id = `k${String(n).padStart(22, '0')}`
      const entry = requestEntry(`${id}.1`, { ...request, secure: false }, terms)
      await tickets.open({ id, fingerprint: 'f'.repeat(22), leaseMs: 60_000, keptMs: 60_000, maxBytes: most }, entry)
      await tickets.settle(id, Buffer.alloc(size))
      await space.engine.cancel(`${id}.1`)
    }
    await store(0)
    const before = await used()
    let full: unknown
    for (let n = 1; !full; n += 20) {
      const together = Array.from({ length: 20 }, (_, i) => store(n + i))
      await Promise.all(together.map((stored) => stored.catch((error) => (full = error))))
    }
    expect(full).toMatchObject({ code: 'SPACE_FULL', message: expect.stringContaining(String(most)) })
    const took = (await used()) - before
    expect(took / most).toBeGreaterThan(0.7)
    expect(took / most).toBeLessThan(1.3)
    await space.close()
  })
})
