/** Promise 13: a worker that is cut off or frozen knows when others may have its requests. */
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { hold, OK, outcomeOf, send } from './requests.js'

const WORKER = fileURLToPath(new URL('children/worker.js', import.meta.url))

let redis: Redis
let link: Link
let space: Space
const children: Process[] = []
beforeAll(async () => {
  redis = await startRedis()
  link = await startLink(redis.port)
  space = await openSpace(redis.url)
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.splice(0).map(({ exited }) => exited))
})
afterAll(async () => {
  await space.close()
  await link.close()
  await redis.stop()
})

const worker = async (url: string, service: string): Promise<Process> => {
  const child = startProcess([WORKER, url, service])
  children.push(child)
  await child.line(/ready/)
  return child
}

/** Its connections stay open, and no byte passes. */
async function cutOff(): Promise<void> {
  const service = 'cut'
  const child = await worker(link.url, service)
  const answer = outcomeOf(send(space, '/running', { repeatable: true, service }))
  await child.line(/began \/running/)
  const heir = await hold(space, 1, service)
  link.blackhole()
  await until(() => heir.held.length === 1, 'another worker has its request')
  // By then its handler had been told.
  expect(child.output()).toContain('signal /running')
  await heir.held[0]!.complete(OK)
  expect(await answer).toBe('200')
  await heir.stop()
}

/** It is handed a request while it is frozen, and wakes up when its lease has ended. */
async function frozen(): Promise<void> {
  const service = 'frozen'
  const child = await worker(redis.url, service)
  const ask = (path: string) => outcomeOf(send(space, path, { repeatable: true, service }))
  const answers = [ask('/running')]
  await child.line(/began \/running/)
  child.kill('SIGSTOP')
  answers.push(ask('/handed'))
  const heir = await hold(space, 2, service)
  await until(() => heir.held.length === 2, 'another worker has its requests')
  child.kill('SIGCONT')
  await child.line(/signal \/running/)
  void ask('/after')
  await child.line(/began \/after/)
  expect(child.output()).not.toContain('began /handed')
  for (const held of heir.held) expect(await held.complete(OK)).toBe(true)
  expect(await Promise.all(answers)).toEqual(['200', '200'])
  await heir.stop()
}

test('its handlers are told before another worker has their requests, and nothing begins that it did not ask for', async () => {
  await Promise.all([cutOff(), frozen()])
}, 60_000)

failOnLeaks()
