/** `takespace top` on a terminal: what it draws, and its keys. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { processesIn } from '../../src/control/processes.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { hasTerminal, shownOn, startOnTerminal } from '../support/terminal.js'
import { until } from '../support/until.js'

let redis: Redis
let space: Space
let other: Space
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  space = await openSpace(redis.url, { name: 'seen' })
  other = await openSpace(redis.url, { name: 'seen' })
})
afterAll(async () => {
  await Promise.all([space.close(), other.close()])
  await redis.stop()
})

const onTerminal = hasTerminal ? test : test.skip
onTerminal('it draws services and processes, filters, drains, and gives the terminal back', async () => {
  await using worker = createWorker({ space: other, app: (_req, res) => void res.end(), service: 'web' })
  await worker.start()
  await until(async () => (await processesIn(space)).length === 1, 'the worker has told of itself')
  const top = startOnTerminal('top', '--url', redis.url, '--name', 'seen', '--interval-ms', '200')
  await top.line(/seen: good[\s\S]*SERVICE[\s\S]*web[\s\S]*PROCESS[\s\S]*worker/)
  top.write('/nothing\r')
  await until(() => !/worker/.test(shownOn(top)) && /with nothing/.test(shownOn(top)), 'it filters')
  top.write('/\r')
  await until(() => /worker/.test(shownOn(top)), 'it shows all again')
  top.write('D')
  await top.line(/drain \(the beginning of a name/)
  top.write('release=none\r')
  await until(() => /no process that takes requests is meant by release=none/.test(shownOn(top)), 'it says so')
  const short = other.presence.slice(0, 8)
  top.write(`D${short}\r`)
  await top.line(/drain 1 process \(\d+ of \S+\) with 0 requests in flight\? y\/n:/)
  top.write('n\r')
  top.write(`D${short}\r`)
  await until(() => /y\/n: _/.test(shownOn(top)), 'it asks again')
  expect((await processesIn(space))[0]?.state).toBe('running')
  top.write('y\r')
  await until(() => shownOn(top).includes(`drain of ${short}: nothing is left`), 'nothing is left')
  await until(() => /drained/.test(shownOn(top)), 'it is shown')
  top.write('q')
  expect(await top.exited).toEqual({ code: 0, signal: null })
  expect(top.output()).toContain('\u001b[?1049l')
})

failOnLeaks()
