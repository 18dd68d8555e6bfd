/** Promise 8 while the Sentinels replace a primary: nothing is acknowledged until they have, or have given up. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'
import { MASTER } from '../support/sentinel.js'
import { until } from '../support/until.js'

let replicas: Replicas
beforeAll(async () => {
  // A Sentinel promotes by SLAVEOF, so none of them can be promoted.
  replicas = await startReplicas({ args: ['--rename-command', 'SLAVEOF', ''], failoverTimeoutMs: 2_000 })
})
afterAll(() => replicas.stop())

test('a write is acknowledged only after the failover was given up', async () => {
  await using space = await openSpace(replicas.url)
  expect(space.durability).toBe('replicated:1')
  await space.write(Task({ id: 'before' }))
  const [leader] = replicas.sentinels
  const isUnderWay = async (): Promise<boolean> =>
    (await leader?.cli('SENTINEL', 'MASTER', MASTER))?.includes('failover_in_progress') ?? false
  const isChosen = async (): Promise<boolean> =>
    (await leader?.cli('SENTINEL', 'REPLICAS', MASTER))?.includes('promoted') ?? false
  expect(await leader?.cli('SENTINEL', 'FAILOVER', MASTER)).toBe('OK')
  await until(isChosen, 'a replica is chosen')
  const wasUnderWay = await space.write(Task({ id: 'meanwhile' })).then(isUnderWay)
  expect(wasUnderWay).toBe(false)
  expect((await space.takeAll([Task], { max: 2 })).map(({ id }) => id)).toEqual(['before', 'meanwhile'])
})

failOnLeaks()
