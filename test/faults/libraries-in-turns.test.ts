/** Two libraries of one layout use a space in turns: what one remembers between its calls does not outlive what the other does. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { SHARED } from '../../src/engines/redis/protocol.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { changedBuild } from '../support/builds.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const LAYOUT = `LAYOUT = ${SHARED.layout}\n`
const ROUNDS = 40
const Task = defineEntry<{ n: number }>('Task')

type Other = typeof import('../../src/index.js')

let redis: Redis
let other: Other
beforeAll(async () => {
  const pieces = [[LAYOUT, `${LAYOUT}-- Another content, so another library.\n`]] as const
  const dist = changedBuild({ name: 'a library in turns', of: 'lua', pieces })
  other = (await import(join(dist, 'src', 'index.js'))) as Other
  redis = await startRedis({ args: ['--enable-debug-command', 'yes'] })
})
afterAll(() => redis.stop())

const numberOf = async (name: string, value: RegExp): Promise<number> =>
  Number(value.exec(await redis.cli('INFO', name))?.[1])

/** How many waits are in queues. */
const waiting = async (name: string): Promise<number> => {
  const keys = (await redis.cli('KEYS', `{ts:${name}}:queue:*`)).split('\n').filter(Boolean)
  let sum = 0
  for (const key of keys) sum += Number(await redis.cli('ZCARD', key))
  return sum
}

test('entries are taken in the order of writing, whichever library has written them and which was lost meanwhile', async () => {
  const name = 'order'
  const OtherTask = other.defineEntry<{ n: number }>('Task')
  await using ours = await openSpace(redis.url, { name })
  await using theirs = await other.openSpace(redis.url, { name })
  const all = Array.from({ length: 5 * ROUNDS }, (_, n) => n)
  for (const n of all) {
    // In runs of different lengths: a library goes on by itself, and from what the other has left.
    if (n % 7 < 3) await ours.write(Task({ n }))
    else await theirs.write(OtherTask({ n }))
    if (n % ROUNDS === ROUNDS / 2) await redis.cli('FUNCTION', 'FLUSH')
    if (n % ROUNDS === ROUNDS / 4) await redis.cli('DEBUG', 'RELOAD')
  }
  const taken: number[] = []
  for (const n of all)
    taken.push(((n % 2 ? await ours.takeIfExists(Task) : await theirs.takeIfExists(OtherTask)) as { n: number }).n)
  expect(taken).toEqual(all)
})

test('a wait is served by the next write, whichever library has registered it', async () => {
  const name = 'waits'
  const OtherTask = other.defineEntry<{ n: number }>('Task')
  await using ours = await openSpace(redis.url, { name })
  await using theirs = await other.openSpace(redis.url, { name })
  for (let n = 0; n < ROUNDS; n++) {
    // Ours has seen that nothing waits.
    await ours.write(Task({ n: -1 }))
    expect(await ours.takeIfExists(Task.template({ n: -1 }))).toMatchObject({ n: -1 })
    if (n % 10 === 5) await redis.cli('FLUSHALL')
    const taken = theirs.take(OtherTask.template({ n }), { waitMs: 20_000 })
    await until(async () => (await waiting(name)) === 1, 'it waits')
    await ours.write(Task({ n }))
    expect(await taken).toMatchObject({ n })
  }
})

test('most calls do not save the counters', async () => {
  await using space = await openSpace(redis.url, { name: 'quiet' })
  const figures = async (): Promise<readonly [number, number]> => [
    await numberOf('commandstats', /cmdstat_set:calls=(\d+)/),
    await numberOf('commandstats', /cmdstat_fcall:calls=(\d+)/),
  ]
  await space.write(Task({ n: 0 }))
  // Counters are saved every 50 ms at the latest, which is often for few calls on a busy machine.
  await until(async () => {
    const [sets, calls] = await figures()
    for (let n = 0; n < ROUNDS; n++) {
      await space.write(Task({ n }))
      await space.takeIfExists(Task.template({ n }))
    }
    const [setsNow, callsNow] = await figures()
    return setsNow - sets < (callsNow - calls) / 4
  }, 'calls do not save the counters')
})

failOnLeaks()
