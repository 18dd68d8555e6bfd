/** Keys of a space that are deleted, foreign or damaged: it heals, or refuses with one error until it is repaired. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { KEYS } from '../../src/engines/redis/key-names.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { putAside } from '../../src/engines/redis/repair.js'
import { gt } from '../../src/entry/conditions.js'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { openSpace } from '../../src/open.js'
import { SpaceSessionStore } from '../../src/session/index.js'
import type { Space } from '../../src/space.js'
import { createWorker, type Worker } from '../../workers/index.js'
import { form, report } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Bytes, bytesOf } from './damage.js'

const Note = defineEntry<{ n: number; text: string }>('Note')
const Never = defineEntry<{ n: number }>('Never')

let redis: Redis
let bytes: Bytes
beforeAll(async () => {
  redis = await startRedis()
  bytes = bytesOf(redis)
})
afterAll(async () => {
  bytes.close()
  await redis.stop()
})

interface Scene {
  readonly name: string
  readonly near: Space
  readonly worker: Worker
  end(): Promise<void>
}

let scenes = 0

/** A space in which every kind of key stands. */
async function scene(): Promise<Scene> {
  const name = `keys-${++scenes}`
  const near = await openSpace(redis.url, { name })
  const far = await openSpace(redis.url, { name })
  const worker = createWorker({ space: far, service: 'math', tasks: { double: (n: number) => n * 2 }, concurrency: 2 })
  await worker.start()
  await near.write(Note({ n: 1, text: 'x' }))
  await near.write(Note({ n: 2, text: 'y'.repeat(5_000) }))
  const tx = await near.begin()
  await near.write(Note({ n: 3, text: 'z' }), { tx })
  await near.read(Note.template({ n: 1 }), { tx })
  const registration = await near.notify([Never], () => {})
  const waiting = far.take(Never, { waitMs: 600_000 }).catch(() => {})
  const conditional = far.take(Note.template({ n: gt(100) }), { waitMs: 600_000 }).catch(() => {})
  const ifExists = near.takeIfExists(Note.template({ n: 3 }), { waitMs: 600_000 }).catch(() => {})
  await createClient({ space: near, service: 'none' }).enqueue('later', 1)
  const cookie = { originalMaxAge: 600_000, expires: new Date(Date.now() + 600_000) }
  await new SpaceSessionStore({ space: near }).set('sid', { cookie, n: 1 })
  await until(async () => (await standing(name)).some((key) => key.includes('waits-if-exists')), 'all wait')
  return {
    name,
    near,
    worker,
    async end() {
      await registration.cancel().catch(() => {})
      await tx.abort().catch(() => {})
      await worker.stop()
      await Promise.all([near.close(), far.close()])
      await Promise.all([waiting, conditional, ifExists])
    },
  }
}

const prefixOf = (name: string): string => keysOf(name).prefix

async function standing(name: string): Promise<string[]> {
  const keys = (await bytes.call('KEYS', `${prefixOf(name)}*`)) as string[]
  return keys.map((key) => key.slice(prefixOf(name).length)).sort()
}

/** Returns a key of this kind; undefined if none stands. */
const ofKind = (keys: readonly string[], kind: { readonly name: string; readonly of?: string }): string | undefined =>
  keys.find((key) => (kind.of === undefined ? key === kind.name : key.startsWith(kind.name)))

const DAMAGES: Readonly<Record<string, (key: string, type: string) => Promise<unknown>>> = {
  missing: (key) => bytes.call('DEL', key),
  'wrong type': async (key, type) => {
    // At once: a process would make the key anew meanwhile.
    if (type === 'list') return void (await bytes.call('SET', key, 'x'))
    await bytes.call('RPUSH', `another:${key}`, 'x')
    await bytes.call('RENAME', `another:${key}`, key)
  },
  garbage: (key, type) => overwrite(key, type, Buffer.from([0, 255, 1, 254, 10, 124, 64])),
  truncated: (key, type) => overwrite(key, type, Buffer.from('1')),
  large: (key, type) => overwrite(key, type, Buffer.alloc(20 * 1024 * 1024, 'x')),
}

/** Puts bytes where values of takespace stand. */
async function overwrite(key: string, type: string, value: Buffer): Promise<void> {
  if (type === 'string') return void (await bytes.call('SET', key, value))
  if (type === 'list') return void (await bytes.call('RPUSH', key, value))
  if (type === 'set') return void (await bytes.call('SADD', key, value))
  if (type === 'zset') return void (await bytes.call('ZADD', key, '1', value))
  for (const field of (await bytes.call('HKEYS', key)) as string[]) await bytes.call('HSET', key, field, value)
}

/** Everything that a program does, once. */
async function work({ near }: Scene): Promise<void> {
  expect(await createClient({ space: near, service: 'math' }).call('double', 4, { timeoutMs: 2_000 })).toBe(8)
  await near.write(Note({ n: 9, text: 'new' }))
  expect(await near.take(Note.template({ n: 9 }), { waitMs: 2_000 })).toMatchObject({ text: 'new' })
}

async function outcome(scene: Scene, kind: string): Promise<'heals' | 'refuses'> {
  let found: 'heals' | 'refuses' | undefined
  await until(async () => {
    try {
      await work(scene)
      found = 'heals'
    } catch (error) {
      if (isSpaceError(error, 'DATA_DAMAGED')) found = 'refuses'
    }
    return found !== undefined
  }, `${kind} heals or refuses`)
  return found as 'heals' | 'refuses'
}

const AT_ONCE = 4

/** Runs a few at a time. */
async function together<T>(all: readonly T[], run: (each: T) => Promise<void>): Promise<void> {
  const rest = [...all]
  const next = async (): Promise<void> => {
    for (let each = rest.shift(); each; each = rest.shift()) await run(each)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
}

const damages = form(['missing', 'wrong type', 'garbage'], Object.keys(DAMAGES))

for (const damage of damages) {
  test(`${damage}: every kind of key heals, or is refused by one error until a repair`, async () => {
    const results: Record<string, string> = {}
    const kinds = Object.entries(KEYS).filter(([, { type }]) => type !== 'channel')
    await together(kinds, async ([kind, key]) => {
      const it = await scene()
      const there = ofKind(await standing(it.name), key)
      if (there !== undefined) {
        await DAMAGES[damage]!(prefixOf(it.name) + there, key.type)
        let result: string = await outcome(it, kind)
        if (result === 'refuses') {
          expect((await it.near.engine.health()).unusable).toBe(true)
          await putAside(redis.url, it.name)
          await using repairer = await openSpace(redis.url, { name: it.name })
          await repairer.repair()
          await until(async () => (await outcome(it, kind)) === 'heals', `${kind} is repaired`)
          result = 'refuses, then repaired'
        }
        results[kind] = result
      }
      await it.end()
    })
    report(`keys, ${damage}`, results)
    expect(Object.keys(results).length).toBeGreaterThan(20)
  }, 600_000)
}

test('keys of a wrong type are put aside in a space of any name, and in no other', async () => {
  const name = 'a *b'
  const [own, other] = [`${keysOf(name).prefix}entries`, `${keysOf('a b').prefix}entries`]
  for (const key of [own, other]) await bytes.call('SET', key, 'x')
  expect(await putAside(redis.url, name)).toEqual([own])
  expect(await bytes.call('EXISTS', other)).toBe(1)
})

failOnLeaks()
