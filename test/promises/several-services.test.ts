/** What a worker of several services is promised: one set of slots for all, and each request with its service. */
import { expect, test } from '@jest/globals'
import { type HeldRequest, OfferedServices, type Serving, sendRequest, serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'

const REQUEST = {
  method: 'GET',
  httpVersion: '1.1',
  headers: ['Host', 'a.example'],
  body: Buffer.alloc(0),
  peer: '127.0.0.1',
  secure: false,
} as const
const ANSWER = { status: 200, reason: 'OK', headers: [], body: Buffer.alloc(0) }

const send = (space: Space, service: string, priority = 0) =>
  sendRequest(space, { ...REQUEST, target: `/${service}` }, { service, timeoutMs: 60_000, priority, repeatable: true })

/** Longer than what an entry holds of a name as it is. */
const LONG = 'l'.repeat(100)

everyEngine({ what: 'a worker of several services', partitions: 'all' }, (opened) => {
  const held: HeldRequest[] = []
  const take = async (space: Space, services: readonly string[], slots: number): Promise<Serving> => {
    held.length = 0
    return serveRequests(space, services, slots, (taken) => void held.push(taken))
  }
  const taken = (count: number): Promise<void> => until(() => held.length === count, `${count} requests are taken`)

  test('takes the requests of all, written before and after, and of no other service', async () => {
    const { space, other } = opened()
    for (let i = 0; i < 300; i++) send(space, 'other')
    send(space, 'web')
    send(space, 'api')
    await until(async () => (await space.engine.kinds()).get('takespace.Request') === 302, 'all wait')
    await take(other, ['web', 'api', LONG], 8)
    await taken(2)
    for (const service of [LONG, 'web', 'other', 'api']) send(space, service)
    await taken(5)
    expect(held.map(({ service, request }) => [service, request.target]).sort()).toEqual(
      ['api', 'api', 'web', 'web', LONG].map((service) => [service, `/${service}`]).sort(),
    )
  })

  testInOnePartition('holds as many at a time as it has slots, best first, whatever their services', async () => {
    const { space, other } = opened()
    await take(other, ['web', 'api'], 2)
    send(space, 'web')
    send(space, 'api')
    await taken(2)
    const waiting = [send(space, 'web', 1), send(space, 'api', 3), send(space, 'web', 2)]
    await until(async () => (await space.engine.kinds()).get('takespace.Request') === 3, 'three wait')
    for (let i = 0; i < 3; i++) {
      await held[i]!.complete(ANSWER)
      await taken(3 + i)
    }
    expect(held.slice(2).map(({ id }) => id)).toEqual([1, 2, 0].map((i) => waiting[i]!.id))
  })

  test('shares the requests of a service with workers of that service alone', async () => {
    const { space, other } = opened()
    const alone: HeldRequest[] = []
    await take(other, ['web', 'api'], 2)
    await serveRequests(space, 'web', 4, (one) => void alone.push(one))
    for (let i = 0; i < 6; i++) send(space, 'web')
    await until(() => held.length + alone.length === 6, 'six requests are taken')
    expect([held.length, alone.length]).toEqual([2, 4])
  })

  test('is given nothing more once it has stopped', async () => {
    const { space, other } = opened()
    const serving = await take(other, ['web', 'api'], 4)
    await serving.stop()
    send(space, 'api')
    const second: HeldRequest[] = []
    await serveRequests(space, 'api', 1, (one) => void second.push(one))
    await until(() => second.length === 1, 'the other worker takes it')
    expect(held).toEqual([])
  })

  test('a process learns which services workers offer to take', async () => {
    const { space, other } = opened()
    await take(other, ['web', LONG], 1)
    const api = await serveRequests(other, 'api', 1, () => {})
    const offered = new OfferedServices(space)
    const names = ['web', LONG, 'api', 'other']
    const known = async () => Promise.all(names.map((name) => offered.has(name)))
    expect(await known()).toEqual([true, true, true, false])
    await api.stop()
    await until(async () => (await known())[2] === false, 'the service is no longer offered')
    expect(await known()).toEqual([true, true, false, false])
  })
})
