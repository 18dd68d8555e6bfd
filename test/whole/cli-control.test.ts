/** `takespace nodes`, `drain`, `order`, `pause` and `resume` against real processes on a real Redis, under load. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { ProcessReport } from '../../src/control/kinds.js'
import { type Chosen, chosenOf, processesIn } from '../../src/control/processes.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const APP = `
export default async (req, res) => {
  await new Promise((resolve) => setTimeout(resolve, 20))
  res.end(process.env.TAKESPACE_RELEASE)
}
`

const folder = mkdtempSync(join(tmpdir(), 'takespace-control-'))
const app = join(folder, 'app.mjs')
let redis: Redis
let space: Space
beforeAll(async () => {
  writeFileSync(app, APP)
  redis = await startRedis({ appendonly: true })
  space = await openSpace(redis.url)
})
afterAll(async () => {
  await space.close()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

const start = (command: string[]): Process =>
  startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })

/** Runs a command to its end and returns its lines of JSON. */
async function run(command: string[], code = 0): Promise<Record<string, unknown>[]> {
  const process = start([...command, '--json'])
  expect(await process.exited).toEqual({ code, signal: null })
  const lines = process.output().split('\n')
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
}

const nodes = async (choice: Chosen): Promise<ProcessReport[]> => chosenOf(await processesIn(space), choice)

const end = async (...processes: Process[]): Promise<void> => {
  for (const process of processes) process.kill('SIGTERM')
  for (const process of processes) expect(await process.exited).toEqual({ code: 0, signal: null })
}

test('a process, and all of a release, are drained and stopped under load, and no request fails', async () => {
  const gateway = start(['gateway', '--port', '0', '--release', 'edge'])
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  const workers = ['r1', 'r2'].map((release) => start(['worker', app, '--processes', '2', '--release', release]))
  await Promise.all(workers.map((each) => each.line(/(?:worker process is ready[\s\S]*?){2}/)))
  const load = startLoad(url as string, { perSecond: 40, method: 'GET', path: (n) => `/${n}` })
  await until(() => load.answers.length > 50, 'requests are answered')

  const all = (await run(['nodes'])) as unknown as ProcessReport[]
  const rolesOf = (release: string) => all.filter((each) => each.release === release).map(({ roles }) => roles.join())
  expect(rolesOf('edge')).toEqual(['gateway'])
  expect(rolesOf('r1').sort()).toEqual(['supervisor', 'worker', 'worker'])
  const [one] = await nodes({ role: 'worker', release: 'r1' })

  const drained = await run(['drain', one!.process])
  expect(drained).toEqual([expect.objectContaining({ process: one!.process, refusal: '' }), { left: 0, processes: [] }])
  expect((await nodes({ process: one!.process }))[0]).toMatchObject({ state: 'drained', held: 0 })
  await run(['drain', one!.process, '--undo'])
  await until(async () => (await nodes({ process: one!.process }))[0]?.state === 'running', 'it takes again')

  // All workers of a release; its supervisor starts others, which are not drained.
  const before = await nodes({ role: 'worker', release: 'r2' })
  await run(['drain', '--of-release', 'r2', '--role', 'worker', '--stop'])
  await until(async () => {
    const after = await nodes({ role: 'worker', release: 'r2' })
    const names = new Set(before.map(({ process }) => process))
    return after.length === 2 && after.every(({ process, state }) => !names.has(process) && state === 'running')
  }, 'others have replaced them')

  const finished = async (): Promise<boolean> => (await nodes({ release: 'r1' })).some((each) => each.finished > 0)
  await until(finished, 'it is told how many requests are finished')
  const answers = await load.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])

  // The supervisor stops all of its processes.
  await run(['order', 'stop', '--role', 'supervisor', '--of-release', 'r2'])
  expect(await workers[1]!.exited).toEqual({ code: 0, signal: null })
  expect(await nodes({ release: 'r2' })).toEqual([])
  await end(workers[0]!, gateway)
})

testInLongForm('a pause survives the processes that were told of it', async () => {
  const gateway = start(['gateway', '--port', '0', '--name', 'paused'])
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  await run(['pause', 'web', '--refuse', '--name', 'paused'])
  await until(async () => (await fetch(url as string)).status === 503, 'the gateway knows')
  const worker = start(['worker', app, '--name', 'paused'])
  await worker.line(/worker process is ready/)
  expect((await fetch(url as string)).status).toBe(503)
  await end(gateway)
  const next = start(['gateway', '--port', '0', '--name', 'paused'])
  const [, nextUrl] = await next.line(/"url":"([^"]+)"/)
  expect((await fetch(nextUrl as string)).status).toBe(503)
  expect(await run(['resume', '--name', 'paused'])).toEqual([
    expect.objectContaining({ what: 'service', name: 'web', refuses: true }),
  ])
  await run(['resume', 'web', '--name', 'paused'])
  await until(async () => (await fetch(nextUrl as string)).status === 200, 'it goes on')
  await run(['resume', 'web', '--name', 'paused'], 1)
  await end(next, worker)
})

test('top rates a space by its exit code, and healthcheck a process', async () => {
  const gateway = start(['gateway', '--port', '0', '--name', 'rated', '--admin-port', '0'])
  await gateway.line(/"msg":"listening"/)
  const admin = /"adminUrl":"([^"]+)"/.exec(gateway.output())![1]!
  const port = new URL(admin).port
  const [state] = await run(['top', '--once', '--name', 'rated'])
  expect(state).toMatchObject({ version: 1, rating: 'good', services: [{ name: 'web', workers: 0 }] })
  const served = (await (await fetch(`${admin}/api/v1/state`)).json()) as object
  expect(Object.keys(served)).toEqual(Object.keys(state!))
  await run(['pause', 'web', '--name', 'rated'])
  const table = start(['top', '--name', 'rated'])
  expect((await table.exited).code).toBe(1)
  expect(table.output()).toMatch(/^rated: degraded .*\n {2}degraded: the service web is paused by .*\n\nSERVICE /)
  const checks = [['ready'], ['live'], ['startup']].map((probe) =>
    start(['healthcheck', ...probe, '--admin-port', port]),
  )
  for (const check of checks) expect(await check.exited).toEqual({ code: 0, signal: null })
  await end(gateway)
  const dead = start(['healthcheck', '--admin-port', port])
  expect((await dead.exited).code).toBe(1)
  expect(dead.output()).toMatch(/does not answer: .*ECONNREFUSED/)
})

test('a choice that means nobody is refused, and so is none', async () => {
  const [none, nobody] = [start(['drain']), start(['drain', '--host', 'nowhere'])] as const
  expect((await none.exited).code).toBe(2)
  expect(none.output()).toMatch(/name a process, or choose by/)
  expect((await nobody.exited).code).toBe(1)
  expect(nobody.output()).toMatch(/no process is meant by that/)
})

failOnLeaks()
