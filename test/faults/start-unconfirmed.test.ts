/** Promise 5 at `replicated:1`: a worker whose link is cut before the replicas have confirmed its start goes on with the request. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'
import { until } from '../support/until.js'
import { hold, OK, outcomeOf, send } from './requests.js'

let replicas: Replicas
beforeAll(async () => {
  replicas = await startReplicas({ replicas: 1, links: true })
})
afterAll(() => replicas.stop())

test('a start that is confirmed only on the next link counts', async () => {
  await using asking = await openSpace(replicas.url)
  await using working = await openSpace(replicas.url)
  const holder = await hold(working, 1)
  const answered = outcomeOf(send(asking, '/once', { repeatable: false }))
  await until(() => holder.held.length === 1, 'it is held')
  const [taken] = holder.held
  const connected = async (): Promise<boolean> => (await working.engine.health()).connected
  replicas.cutReplication()
  const started = taken!.start()
  const claims = `{ts:default}:claims:${working.presence}`
  await until(async () => /!$/m.test(await replicas.cli('SMEMBERS', claims)), 'the start is noted')
  const cut = await replicas.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
  expect(Number(cut)).toBeGreaterThan(0)
  await until(async () => !(await connected()), 'the link is lost')
  await until(connected, 'there is another one')
  replicas.healReplication()
  expect(await started).toBe(true)
  expect(holder.lost).toEqual([])
  expect(await taken!.complete(OK)).toBe(true)
  expect(await answered).toBe('200')
})

failOnLeaks()
