/** While a space moves, the transaction of a request finds what has not moved yet, and commits with the response. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import type { MovingEngine } from '../../src/engines/redis/moving.js'
import { createWorker, currentRequest } from '../../workers/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { Other, Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { beginMoving, openBoth, type Servers, startServers } from './moving.js'

describeOnRedis('requests in a space that moves', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers.stop())

  test('a handler takes and reads under its transaction what is at the old address still', async () => {
    const space = await openBoth(servers, 'requests')
    const other = await openBoth(servers, 'requests')
    await space.writeAll([Task({ id: 'in' }), Task({ id: 'more' }), Other({ id: 'kept' })])
    await beginMoving(space)
    for (const each of [space, other]) {
      await until(() => (each.engine as MovingEngine).phase === 'moving', 'a process follows')
    }
    const app = async (_: unknown, res: { end(text: string): void }): Promise<void> => {
      const { transaction: tx } = currentRequest()
      const taken = await other.takeIfExists(Task.template({ id: 'in' }), { tx })
      const kept = await other.readIfExists(Other, { tx })
      await other.write(Task({ id: 'out' }), { tx })
      res.end(`${taken?.id} ${kept?.id}`)
    }
    const worker = createWorker({ space: other, app })
    await worker.start()
    const response = await createClient({ space }).fetch('/', { timeoutMs: 10_000 })
    expect(await response.text()).toBe('in kept')
    await worker.stop()
    const left = await space.takeAll([Task, Other], { waitMs: 0 })
    expect(left.map(({ id }) => id).sort()).toEqual(['kept', 'more', 'out'])
    await Promise.all([space.close(), other.close()])
  })
})

failOnLeaks()
