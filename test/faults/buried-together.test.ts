/** Promise 5: several processes are found dead at once. What one of them held is not handed to another of them, and counts one death. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { type HeldRequest, sendRequest, serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

let redis: Redis
const spaces: Space[] = []
beforeAll(async () => {
  redis = await startRedis()
})
afterEach(() => Promise.all(spaces.splice(0).map((space) => space.close())))
afterAll(() => redis.stop())

async function open(): Promise<Space> {
  const space = await openSpace(redis.url)
  spaces.push(space)
  return space
}

test('a request that was never run is not given up because three workers died at once', async () => {
  const space = await open()
  const held: { by: Space; taken: HeldRequest }[] = []
  const serve = async (): Promise<Space> => {
    const by = await open()
    await serveRequests(by, 'web', 1, (taken) => held.push({ by, taken }))
    return by
  }
  const holder = await serve()
  const request = {
    method: 'GET',
    target: '/',
    httpVersion: '1.1',
    headers: [],
    body: Buffer.alloc(0),
    peer: '',
    secure: false,
  }
  const terms = { service: 'web', timeoutMs: 20_000, priority: 0, repeatable: true, maxDeliveries: 2 }
  const sent = sendRequest(space, request, terms)
  await until(() => held.length === 1, 'the request to be held')
  const others = [await serve(), await serve()]
  // Their leases have ended, that of the holder first; whoever calls next finds all three.
  const ends = [holder, ...others].flatMap(({ presence }, i) => [String(i + 1), presence])
  await redis.cli('ZADD', '{ts:default}:presences', ...ends)
  await until(async () => {
    await space.engine.renew('unknown', 1)
    return held.length > 1
  }, 'it to be handed on')
  const { taken } = held[1]!
  expect(taken.attempt).toBe(2)
  await taken.complete({ status: 200, reason: '', headers: [], body: Buffer.from('done') })
  expect((await sent.response).body.toString()).toBe('done')
})

failOnLeaks()
