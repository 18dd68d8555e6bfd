/** Attempts, delays and dead letters as configured, with real processes: seen in bull-board's API and in `takespace dead`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClient, openSpace, type Space } from '../../src/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { report } from './form.js'

const TASKS = fileURLToPath(new URL('children/tasks.js', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'takespace-attempts-'))
const ledger = join(folder, 'runs')
let redis: Redis
let space: Space
let board: string
const processes: Process[] = []

beforeAll(async () => {
  writeFileSync(ledger, '')
  redis = await startRedis()
  const env = { TAKESPACE_URL: redis.url, LEDGER: ledger }
  const start = async (command: readonly string[], ready: RegExp, more: Record<string, string> = {}) => {
    const process = startProcess(command, { env: { ...env, ...more } })
    processes.push(process)
    return process.line(ready)
  }
  await start(['takespace', 'worker', TASKS, '--processes', '2'], /a worker process is ready/)
  await start(['takespace', 'scheduler'], /"msg":"ready"/)
  const [, url] = await start(['examples/bull-board.js'], /bull-board on (\S+)/, { REDIS_URL: redis.url, PORT: '0' })
  board = url!
  space = await openSpace(redis.url)
})
afterAll(async () => {
  await space.close()
  for (const process of processes) process.kill()
  await Promise.all(processes.map(({ exited }) => exited))
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface BoardJob {
  readonly name: string
  readonly attempts: number
  readonly failedReason?: string
  readonly returnValue?: unknown
  readonly opts: { readonly attempts?: number; readonly backoff?: { readonly type: string; readonly delay: number } }
}

const jobs = async (status: string): Promise<BoardJob[]> => {
  const response = await fetch(
    `${board}/api/queues?activeQueue=takespace.default&status=${status}&page=1&jobsPerPage=50`,
  )
  const { queues } = (await response.json()) as { queues: { jobs: BoardJob[] }[] }
  return queues[0]!.jobs
}

/** When each attempt was begun. */
const runsOf = (name: string): { attempt: number; at: number }[] =>
  readFileSync(ledger, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([input]) => input === name)
    .map(([, attempt, , at]) => ({ attempt: Number(attempt), at: Number(at) }))

const gapsOf = (name: string): number[] =>
  runsOf(name)
    .slice(1)
    .map(({ at }, i) => at - runsOf(name)[i]!.at)

test('one that fails twice and then succeeds, one that gives up, one whose worker is killed at each attempt', async () => {
  const client = createClient({ space })
  const backoff = { kind: 'exponential', delayMs: 400 } as const
  const flaky = await client.enqueue('flaky', 'f1', { attempts: 5, backoff })
  const never = await client.enqueue('never', 'n1', { attempts: 5, backoff })
  await until(async () => (await jobs('delayed')).some(({ name }) => name === 'flaky'), 'bull-board to show it delayed')
  expect(await flaky.result()).toBe(3)
  await expect(never.result()).rejects.toMatchObject({ code: 'TASK_FAILED', cause: { name: 'GaveUp' } })
  // Alone: its worker takes with it whatever else it holds.
  const kill = await client.enqueue('kill', 'k1', { attempts: 3, backoff: { kind: 'fixed', delayMs: 500 } })
  await expect(kill.result()).rejects.toMatchObject({ code: 'TASK_FAILED', cause: { code: 'WORKER_LOST' } })

  expect(runsOf('f1').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  expect(runsOf('n1').map(({ attempt }) => attempt)).toEqual([1])
  expect(runsOf('k1').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  const [first, second] = gapsOf('f1')
  expect(first).toBeGreaterThanOrEqual(400)
  expect(second).toBeGreaterThanOrEqual(800)
  for (const gap of gapsOf('k1')) expect(gap).toBeGreaterThanOrEqual(500)

  const completed = await jobs('completed')
  expect(completed).toMatchObject([{ name: 'flaky', attempts: 3, returnValue: 3 }])
  expect(completed[0]!.opts).toMatchObject({ attempts: 5, backoff: { type: 'exponential', delay: 400 } })
  await until(async () => (await jobs('failed')).length === 2, 'both to be shown as failed')
  const failed = new Map((await jobs('failed')).map((job) => [job.name, job]))
  expect(failed.get('never')).toMatchObject({ attempts: 1, failedReason: 'there is no such user' })
  expect(failed.get('kill')).toMatchObject({ attempts: 3, failedReason: expect.stringContaining('The worker died') })

  const listing = startProcess(['takespace', 'dead', 'ls', '--json'], { env: { TAKESPACE_URL: redis.url } })
  await listing.exited
  const letters = listing
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(letters.sort((a, b) => (a.task < b.task ? -1 : 1))).toMatchObject([
    { task: 'kill', reason: 'failed', attempts: 3, error: { code: 'WORKER_LOST' } },
    { task: 'never', reason: 'gave up', attempts: 1, error: { name: 'GaveUp', message: 'there is no such user' } },
  ])
  report('attempts of a task that fails twice, one that gives up, one that kills its worker', {
    attempts: `${runsOf('f1').length}, ${runsOf('n1').length}, ${runsOf('k1').length}`,
    'ms between those that fail (asked 400, 800)': gapsOf('f1').join(', '),
    'ms between those that kill (asked 500, 500)': gapsOf('k1').join(', '),
    'completed and failed in bull-board': `${completed.length} and ${failed.size}`,
    'dead letters': letters.length,
  })
})

failOnLeaks()
