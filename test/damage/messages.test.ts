/** A hostile length on the connection of messages: that connection ends, and the messages after it arrive on a new one. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

let redis: Redis
let near: Space
let link: Link
let far: Space
beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  link = await startLink(redis.port, { only: 'messages:' })
  near = await openSpace(redis.url)
  far = await openSpace(link.url)
})
afterEach(async () => {
  await Promise.all([near.close(), far.close()])
  await link.close()
})
afterAll(() => redis.stop())

const channel = (): string => `{ts:default}:messages:${far.engine.presence}`
const head = (length: string): string =>
  `>3\r\n$8\r\nsmessage\r\n$${channel().length}\r\n${channel()}\r\n$${length}\r\n`

/** Has the far process receive messages. Returns what it has received, and the number of gaps it was told of. */
async function hearing(): Promise<{ messages: Buffer[]; gaps: number }> {
  const heard = { messages: [] as Buffer[], gaps: 0 }
  await far.engine.hear(
    (part, isFirst) => {
      const last = isFirst ? undefined : heard.messages.pop()
      heard.messages.push(Buffer.concat(last ? [last, part] : [part]))
    },
    () => heard.gaps++,
  )
  return heard
}

const post = (text: string): Promise<boolean> => near.engine.post(far.engine.presence, [Buffer.from(text)])

test.each(['99999999999', '9'.repeat(40)])('a message of %s bytes', async (length) => {
  const heard = await hearing()
  expect(await post('before')).toBe(true)
  await until(() => heard.messages.length === 1, 'the message has arrived')
  link.say(head(length))
  await until(() => heard.gaps === 1, 'the process knows that messages may be lost')
  expect(await post('after')).toBe(true)
  await until(() => heard.messages.length === 2, 'the message has arrived')
  expect(heard.messages.map(String)).toEqual(['before', 'after'])
})

test('a message that ends with its connection is followed by the next one', async () => {
  const heard = await hearing()
  link.say(`${head('100')}half`)
  await until(() => heard.messages.length === 1, 'its beginning has arrived')
  link.cut()
  await until(() => heard.gaps === 1, 'the process knows that messages may be lost')
  expect(await post('after')).toBe(true)
  await until(() => heard.messages.length === 2, 'the message has arrived')
  expect(heard.messages.map(String)).toEqual(['half', 'after'])
})

test('messages of all sizes share the connection with replies', async () => {
  const heard = await hearing()
  const sizes = [1, 100, 16_383, 16_384, 65_536, 300_000, 4_000_000]
  const all = Array.from({ length: 4 }, () => sizes).flat()
  const bytesOf = (size: number): Buffer => Buffer.alloc(size, `${size},`)
  for (const size of all) {
    const [, reply] = await Promise.all([
      near.engine.post(far.engine.presence, [bytesOf(size), Buffer.from('.')]),
      far.engine.post(near.engine.presence, [bytesOf(size)]),
    ])
    // Nobody receives those.
    expect(reply).toBe(false)
  }
  await until(() => heard.messages.length === all.length && heard.messages.at(-1)!.length > 4_000_000, 'all are there')
  expect(heard.messages.map((each, i) => each.equals(Buffer.concat([bytesOf(all[i]!), Buffer.from('.')])))).toEqual(
    all.map(() => true),
  )
})

failOnLeaks()
