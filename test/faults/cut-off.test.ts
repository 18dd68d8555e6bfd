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
import { form, report } from './form.js'
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

/** How long it stays cut off after another worker has its requests, the requests beside them, and how long each runs. */
const STAYS_MS = form(0, 15_000)
const PER_SECOND = form(20, 200)
const RUNS_MS = 100
const HELD = 4

/** Returns when a handler of each request did `what`, ms. */
function times(child: Process, what: string): Map<string, number> {
  const lines = child.output().matchAll(new RegExp(`${what} (\\S+) at (\\d+)`, 'g'))
  return new Map([...lines].map(([, path, at]) => [path!, Number(at)]))
}

/** Its connections stay open, and no byte passes. What it was handed before and meanwhile, another worker runs. */
async function cutOff(): Promise<void> {
  const service = 'cut'
  const child = await worker(link.url, service)
  const ask = (path: string) => outcomeOf(send(space, path, { repeatable: true, service }))
  const paths = Array.from({ length: HELD }, (_, i) => `/held/${i}`)
  for (const path of paths) void ask(path)
  for (const path of paths) await child.line(new RegExp(`began ${path} `))
  const heir = await worker(redis.url, service)
  link.blackhole()
  const cutAt = performance.now()
  let phase = 'other'
  const others: Promise<string>[] = []
  const load = setInterval(() => others.push(ask(`/${phase}/${others.length}?ms=${RUNS_MS}`)), 1_000 / PER_SECOND)
  for (const path of paths) await heir.line(new RegExp(`began ${path} `))
  const heldAt = performance.now()
  await until(() => performance.now() - heldAt >= STAYS_MS, 'it was cut off for long enough')
  const cutMs = performance.now() - cutAt
  link.heal()
  // What was held back has arrived when it takes requests again. The other worker could do alone what is asked meanwhile.
  phase = 'after'
  const healedAt = performance.now()
  await child.line(/began \/after/)
  clearInterval(load)
  const backMs = performance.now() - healedAt
  expect((await Promise.all(others)).filter((outcome) => outcome !== '200')).toEqual([])

  const [began, again] = [times(child, 'began'), times(heir, 'began')]
  const [signals, ended] = [times(child, 'signal'), times(child, 'ended')]
  const twice = [...began.keys()].filter((path) => again.has(path))
  const beside = twice.filter(
    (path) => Math.min(signals.get(path) ?? Infinity, ended.get(path) ?? Infinity) > again.get(path)!,
  )
  expect(twice).toEqual(expect.arrayContaining(paths))
  expect(beside).toEqual([])
  report('a worker that no byte reaches', {
    'cut off, s': Math.round(cutMs / 1_000),
    'back, ms': Math.round(backMs),
    requests: others.length + HELD,
    'run by both': twice.length,
    'running beside their second run': beside.length,
    'told before it, ms at least': Math.min(...paths.map((path) => again.get(path)! - signals.get(path)!)),
  })
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
}, 120_000)

failOnLeaks()
