/** A large answer travels beside the functions. One that comes too late does not take the place of the accepted one, and leaves nothing. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { hold, OK, send } from './requests.js'

const answer = (letter: string) => ({ ...OK, body: Buffer.from(letter.repeat(5_000)) })

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const bodies = (name: string): Promise<string> => redis.cli('KEYS', `{ts:${name}}:body:*`)

test('a former holder answers after the new one', async () => {
  const name = 'late'
  await using asking = await openSpace(redis.url, { name })
  await using first = await openSpace(redis.url, { name })
  await using second = await openSpace(redis.url, { name })
  const former = await hold(first, 1)
  const sent = send(asking, '/large', { repeatable: true })
  await until(() => former.held.length === 1, 'it is held')
  const holder = await hold(second, 1)
  await asking.declareDead(first.presence)
  await until(() => holder.held.length === 1, 'another one holds it')
  const late = former.held[0]!
  expect(await holder.held[0]!.complete(answer('b'))).toBe(true)
  expect(await late.complete(answer('a'))).toBe(false)
  expect((await sent.response).body.toString()).toBe('b'.repeat(5_000))
  await until(async () => (await bodies(name)) === '', 'no body is left')
})

test('a process that is gone had put its answer beside, and not yet said so', async () => {
  const name = 'gone'
  await using asking = await openSpace(redis.url, { name })
  await using first = await openSpace(redis.url, { name })
  const former = await hold(first, 1)
  const sent = send(asking, '/large', { repeatable: false })
  await until(() => former.held.length === 1, 'it is held')
  const [claim] = await redis
    .cli('SMEMBERS', `{ts:${name}}:claims:${first.presence}`)
    .then((all) => all.split('\n').filter((each) => each.includes(':')))
  await redis.cli('SET', `{ts:${name}}:body:${claim!.replace('!', '')}`, 'large')
  await using second = await openSpace(redis.url, { name })
  const holder = await hold(second, 1)
  await asking.declareDead(first.presence)
  await until(() => holder.held.length === 1, 'another one holds it')
  expect(await bodies(name)).toBe('')
  await holder.held[0]!.complete(OK)
  await sent.response
})

failOnLeaks()
