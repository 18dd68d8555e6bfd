/** `takespace gateway` and `takespace worker` as real processes on a real Redis: supervised, killed, drained. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

/** Answers with the process that ran; /slow says on its output that it has begun, /exit ends its process. */
const APP = `
export default async (req, res) => {
  if (req.url === '/exit') process.exit(7)
  if (req.url === '/slow') {
    console.log('begun by ' + process.pid)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  res.end(String(process.pid))
}
// What an app may leave open must not keep its process.
setInterval(() => {}, 1_000)
// What some process managers want to hear is nothing to a supervisor.
for (const word of ['ready', null, { ready: true }, { takespace: null }]) process.send?.(word)
`

const folder = mkdtempSync(join(tmpdir(), 'takespace-cli-'))
const app = join(folder, 'app.mjs')
let redis: Redis
const spaces: Space[] = []
afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()))
})
beforeAll(async () => {
  writeFileSync(app, APP)
  redis = await startRedis({ appendonly: true })
})
afterAll(async () => {
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

const started = async (command: string[], until: RegExp): Promise<[Process, RegExpMatchArray]> => {
  const process = startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })
  return [process, await process.line(until)]
}

/** The gateway of this process for a space; returns its URL. */
async function startGateway(name: string): Promise<string> {
  const space = await openSpace(redis.url, { name })
  spaces.push(space)
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  return gateway.url
}

const ready = /(?:worker process is ready[\s\S]*?){2}/
const startWorkers = (name: string, more: string[] = []) =>
  started(['worker', app, '--processes', '2', '--name', name, ...more], ready)

const end = async (...processes: Process[]): Promise<void> => {
  for (const process of processes) {
    process.kill('SIGTERM')
    expect(await process.exited).toEqual({ code: 0, signal: null })
  }
}

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The pids of the worker processes that have said they are ready, oldest first. */
const workersOf = (supervisor: Process): number[] =>
  [...supervisor.output().matchAll(/"workerPid":(\d+),"presence":"[^"]+","msg":"a worker process is ready"/g)].map(
    (m) => Number(m[1]),
  )

test('a worker process that is killed is replaced, and its request answered by another', async () => {
  const url = await startGateway('killed')
  const [workers] = await startWorkers('killed')
  const answer = textOf(`${url}/slow`)
  const [, begun] = await workers.line(/begun by (\d+)/)
  process.kill(Number(begun), 'SIGKILL')
  const answeredBy = await answer
  expect(answeredBy).not.toBe(begun)
  await until(() => workersOf(workers).length === 3, 'a third worker process is ready')
  expect(workersOf(workers)).not.toContain(Number.NaN)
  await end(workers)
})

test('a worker process that drains on its own SIGTERM loses no request and is replaced', async () => {
  const url = await startGateway('drained')
  const [workers] = await startWorkers('drained')
  const answer = textOf(`${url}/slow`)
  const [, begun] = await workers.line(/begun by (\d+)/)
  process.kill(Number(begun), 'SIGTERM')
  expect(await answer).toBe(begun)
  await until(() => workersOf(workers).length === 3, 'a third worker process is ready')
  await end(workers)
})

test('SIGTERM, or Ctrl-C for the whole group, lets requests under way finish', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const url = await startGateway('group')
    const [workers] = await startWorkers('group')
    const answer = textOf(`${url}/slow`)
    const [, begun] = await workers.line(/begun by (\d+)/)
    process.kill(-workers.pid, signal)
    expect(await workers.exited).toEqual({ code: 0, signal: null })
    expect(await answer).toBe(begun)
  }
})

test('a second signal ends supervisor and workers at once', async () => {
  const url = await startGateway('twice')
  const [workers] = await startWorkers('twice')
  const answer = fetch(`${url}/slow`, { method: 'POST' })
  await workers.line(/begun by/)
  workers.kill('SIGTERM')
  await workers.line(/stopping/)
  workers.kill('SIGTERM')
  expect(await workers.exited).toEqual({ code: 1, signal: null })
  for (const pid of workersOf(workers)) await until(() => !alive(pid), `${pid} is gone`)
  expect((await answer).status).toBe(502)
})

test('workers whose supervisor was killed drain and end', async () => {
  const url = await startGateway('orphans')
  const [workers] = await startWorkers('orphans')
  const answer = textOf(`${url}/slow`)
  const [, begun] = await workers.line(/begun by (\d+)/)
  workers.kill('SIGKILL')
  expect(await answer).toBe(begun)
  for (const pid of workersOf(workers)) await until(() => !alive(pid), `${pid} is gone`)
})

test('a worker process that keeps dying is started again with growing pauses', async () => {
  const url = await startGateway('dying')
  const [workers] = await startWorkers('dying')
  // A GET that ends its process is delivered three times, then its client is told.
  expect((await fetch(`${url}/exit`)).status).toBe(502)
  const pauses = (): number[] =>
    [...workers.output().matchAll(/"code":7[^\n]*"pauseMs":(\d+)/g)].map((m) => Number(m[1]))
  await until(() => pauses().length === 3, 'three deaths are logged')
  expect(Math.max(...pauses())).toBeGreaterThan(Math.min(...pauses()))
  expect(await textOf(url)).toMatch(/^\d+$/)
  await end(workers)
})

test('what the server is to give, each worker process asks for itself', async () => {
  const [workers] = await startWorkers('durable', ['--durability', 'local'])
  await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
  try {
    process.kill(workersOf(workers)[0] as number, 'SIGKILL')
    await workers.line(/"reason":"[^"]*durability[^"]*local[^"]*"[^\n]*a worker process ended and is replaced/)
  } finally {
    await redis.cli('CONFIG', 'SET', 'appendonly', 'yes')
  }
  await until(() => workersOf(workers).length === 3, 'a third worker process is ready')
  await end(workers)
})

test('a gateway with --max-entries tells those beyond it 503 with Retry-After, and goes on when there is room', async () => {
  const bounds = ['--max-entries', '3', '--max-bytes', '100000']
  const [gateway, [, url = '']] = await started(
    ['gateway', '--port', '0', '--name', 'bounded', ...bounds],
    /"url":"([^"]+)"/,
  )
  const asked = Array.from({ length: 5 }, () => fetch(url))
  const refused: Response[] = []
  for (const response of asked) void response.then((answer) => answer.status === 503 && refused.push(answer))
  await until(() => refused.length === 2, 'two are refused')
  for (const { headers } of refused) expect(headers.get('retry-after')).toBe('1')
  expect(await refused[0]?.json()).toMatchObject({ code: 'SPACE_FULL' })
  const [workers] = await startWorkers('bounded')
  expect((await Promise.all(asked)).map(({ status }) => status).sort()).toEqual([200, 200, 200, 503, 503])
  expect((await fetch(url)).status).toBe(200)
  await end(workers, gateway)
})

test('an app that cannot be loaded ends the supervisor with the reason', async () => {
  const broken = join(folder, 'broken.mjs')
  writeFileSync(broken, 'export const nothing = 1')
  const workers = startProcess(['takespace', 'worker', broken, '--processes', '2'], {
    env: { TAKESPACE_URL: redis.url, LOG_LEVEL: 'silent' },
  })
  expect((await workers.exited).code).toBe(1)
  expect(workers.output()).toMatch(/^takespace: The app file exports no app[^\n]*\n$/)
})

failOnLeaks()
