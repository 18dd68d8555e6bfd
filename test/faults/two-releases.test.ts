/** Two releases share a space as long as the layout of its data is the same; the older one refuses a newer layout, and says so. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { SHARED } from '../../src/engines/redis/protocol.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { ledgerApp } from '../support/app.js'
import { changedBuild } from '../support/builds.js'
import { failOnLeaks } from '../support/leaks.js'
import type { Process } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { startedCommands } from '../support/started.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form } from './form.js'
import { startMixed } from './mixed.js'
import { tell, verdictOf } from './verdict.js'

const LAYOUT = `LAYOUT = ${SHARED.layout}\n`
const ROUNDS = form(2, 10)

let redis: Redis
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterAll(() => redis.stop())

/** Our own command line, or that of another build. */
const cliOf = (dist?: string): string => (dist ? join(dist, 'src', 'cli', 'main.js') : 'takespace')

const start = startedCommands(() => redis.url)

async function ended(process: Process): Promise<void> {
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
}

/** The libraries of takespace that the server has. */
const libraries = async (): Promise<number> =>
  (await redis.cli('FUNCTION', 'LIST')).split('\n').filter((line) => /^takespace_[0-9a-f]{12}$/.test(line)).length

test(
  'under load, gateways and workers of an older and a newer release serve together, and each replaces the other without an error',
  async () => {
    const newer = changedBuild({
      name: 'a newer release',
      of: 'lua',
      pieces: [[LAYOUT, `${LAYOUT}-- Another content, so another library.\n`]],
    })
    const app = ledgerApp()
    const gateway = async (cli: string): Promise<[Process, string]> => {
      const started = start(cli, ['gateway', '--port', '0'])
      return [started, (await started.line(/"url":"([^"]+)"/))[1] as string]
    }
    const workers = async (cli: string): Promise<Process> => {
      const started = start(cli, ['worker', app.file, '--concurrency', '8'], app.env)
      await started.line(/a worker process is ready/)
      return started
    }
    const [oldGateway, oldUrl] = await gateway(cliOf())
    let serving = await workers(cliOf())
    const [newGateway, newUrl] = await gateway(cliOf(newer))
    const load = startMixed({ urls: [oldUrl, newUrl] })
    let most = 0
    for (let round = 0; round < ROUNDS; round++) {
      const coming = await workers(cliOf(round % 2 ? undefined : newer))
      const enough = load.answered + 50
      await until(() => load.answered >= enough, 'both serve')
      most = Math.max(most, await libraries())
      if (round % 2) {
        await redis.cli('FUNCTION', 'FLUSH')
        await until(async () => (await libraries()) === 2, 'both have loaded theirs again')
      }
      await ended(serving)
      serving = coming
    }
    const alone = load.answered + 50
    await until(() => load.answered >= alone, 'the last one serves alone')
    const verdict = verdictOf(await load.stop(), app.runs())
    const pids = new Set(app.runs().map(({ pid }) => pid))
    tell('two releases at once', verdict, `${ROUNDS} replacements, ${most} libraries, ${pids.size} processes ran`)
    expect(verdict.failed).toBe(0)
    expect(verdict.twice).toBe(0)
    // The fault hit.
    expect(most).toBe(2)
    expect(pids.size).toBe(ROUNDS + 1)
    for (const process of [serving, oldGateway, newGateway]) await ended(process)
    app.remove()
    await nothingIsLeft(redis)
  },
  form(60_000, 180_000),
)

test('data of a newer layout is refused by the older release, in code and on the command line, and stays as it is', async () => {
  const later = changedBuild({
    name: 'a newer layout',
    of: 'lua',
    pieces: [[LAYOUT, `LAYOUT = ${SHARED.layout + 1}\n`]],
  })
  const name = ['--name', 'later']
  const ok = async (cli: string, ...args: string[]): Promise<string> => {
    const started = start(cli, [...args, ...name])
    expect(await started.exited).toEqual({ code: 0, signal: null })
    return started.output()
  }
  await ok(cliOf(later), 'write', 'Task', 'n=1')
  await expect(openSpace(redis.url, { name: 'later' })).rejects.toMatchObject({ code: 'DATA_NEWER' })
  const app = ledgerApp()
  for (const args of [
    ['gateway', '--port', '0'],
    ['worker', app.file],
    ['take', 'Task'],
  ]) {
    const refused = start(cliOf(), [...args, ...name])
    expect((await refused.exited).code).toBeGreaterThan(0)
    expect(refused.output()).toMatch(/newer takespace/)
  }
  app.remove()
  expect(await ok(cliOf(later), 'take', 'Task', '--json')).toMatch(/"n":1/)
})

test('a process of the older release that runs when the layout changes is refused from then on, and ends nothing', async () => {
  const Task = defineEntry<{ n: number }>('Task')
  await using space = await openSpace(redis.url, { name: 'changed' })
  await space.write(Task({ n: 1 }))
  // What the newer release would do to data that nobody else uses.
  const change =
    "local m = cmsgpack.unpack(redis.call('GET', KEYS[1])) m.layout = 99 m.sum = m.sum + 95 redis.call('SET', KEYS[1], cmsgpack.pack(m))"
  await redis.cli('EVAL', change, '1', '{ts:changed}:m')
  await expect(space.write(Task({ n: 2 }))).rejects.toMatchObject({ code: 'DATA_NEWER' })
  await expect(space.takeIfExists(Task)).rejects.toMatchObject({ code: 'DATA_NEWER' })
  expect(await redis.cli('HLEN', '{ts:changed}:entries')).toBe('1')
})

failOnLeaks()
