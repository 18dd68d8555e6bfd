/** `takespace top` on a terminal: what it draws, and its keys. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { processesIn } from '../../src/control/processes.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
/** Gives a command a terminal; part of every Debian. */
const hasScript = spawnSync('script', ['--version']).status === 0 && existsSync('/dev/ptmx')

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

/** Returns the lines of the last picture. */
const shown = (output: string): string =>
  (output.split('\u001b[H').at(-1) ?? '').replaceAll('\u001b[K', '').replaceAll('\r', '')

const onTerminal = hasScript ? test : test.skip
onTerminal('it draws services and processes, filters, drains, and gives the terminal back', async () => {
  await using worker = createWorker({ space: other, app: (_req, res) => void res.end(), service: 'web' })
  await worker.start()
  await until(async () => (await processesIn(space)).length === 1, 'the worker has told of itself')
  const command = `stty rows 24 columns 160; ${process.execPath} ${MAIN} top --url ${redis.url} --name seen --interval-ms 200`
  const top = startProcess(['script', '-qfec', command, '/dev/null'], { hasInput: true })
  await top.line(/seen: good[\s\S]*SERVICE[\s\S]*web[\s\S]*PROCESS[\s\S]*worker/)
  top.write('/nothing\r')
  await until(() => !/worker/.test(shown(top.output())) && /with nothing/.test(shown(top.output())), 'it filters')
  top.write('/\r')
  await until(() => /worker/.test(shown(top.output())), 'it shows all again')
  top.write('D')
  await top.line(/drain \(the beginning of a name/)
  top.write(`${other.presence.slice(0, 8)}\r`)
  await until(() => /1 of 1 obey/.test(shown(top.output())), 'the process obeys')
  await until(() => /drained/.test(shown(top.output())), 'it is shown')
  top.write('q')
  expect(await top.exited).toEqual({ code: 0, signal: null })
  expect(top.output()).toContain('\u001b[?1049l')
})

failOnLeaks()
