/** Later tasks, while schedulers die: each job is written once, and a schedule misses no firing and doubles none, whatever is restarted. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { Queue } from 'bullmq'
import { createClient, openSpace, type Space } from '../../src/index.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, report, spread } from './form.js'

/** So long all of them may take, or a part of them. */
const ALL_JOBS_MS = form(60_000, 120_000)
const JOBS = form(200, 10_000)
const TASKS = fileURLToPath(new URL('children/tasks.js', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'takespace-scheduler-'))
let redis: Redis
let space: Space | undefined
const processes = new Set<Process>()

afterEach(async () => {
  await space?.close()
  for (const process of processes) killWithChildren(process)
  await Promise.all(Array.from(processes, ({ exited }) => exited))
  processes.clear()
  await redis.stop()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(args: readonly string[], ready: RegExp, env: Record<string, string> = {}): Promise<Process> {
  const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: redis.url, ...env } })
  processes.add(process)
  await process.line(ready)
  return process
}

const scheduler = (): Promise<Process> => start(['scheduler'], /"msg":"ready"/)

/** A supervisor's children would drain before they end, and may outlast the test. */
function killWithChildren({ pid }: Process): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // They have ended.
  }
}

async function kill(process: Process): Promise<void> {
  killWithChildren(process)
  await process.exited
  processes.delete(process)
}

const queueOn = (): Queue => new Queue('takespace.default', { connection: { port: redis.port } })

test(
  `${JOBS} jobs that are due within one second, two schedulers, one killed in the middle: each is written once`,
  async () => {
    redis = await startRedis({ appendonly: true })
    space = await openSpace(redis.url)
    const client = createClient({ space })
    const runs = new Map<number, number>()
    const at: number[] = []
    const worker = createWorker({
      space,
      concurrency: 64,
      tasks: {
        note: (n: number) => {
          runs.set(n, (runs.get(n) ?? 0) + 1)
          at.push(Date.now())
        },
      },
    })
    await worker.start()
    const [one] = [await scheduler(), await scheduler()]
    const queue = queueOn()
    try {
      const dueAt = Date.now() + form(3_000, 60_000)
      const tickets: string[] = []
      for (let n = 0; n < JOBS; n += 100) {
        const some = Array.from({ length: Math.min(100, JOBS - n) }, (_, i) => n + i)
        const opened = await Promise.all(
          some.map((i) => client.enqueue('note', i, { at: dueAt + Math.floor((i * 1_000) / JOBS) })),
        )
        tickets.push(...opened.map(({ id }) => id))
      }
      await until(async () => (await queue.getDelayedCount()) === JOBS, 'all jobs to be delayed', ALL_JOBS_MS)
      expect(Date.now()).toBeLessThan(dueAt)
      await until(() => runs.size > JOBS / 4, 'some to have run', ALL_JOBS_MS)
      const active = await queue.getActiveCount()
      await kill(one)
      const killedAt = Date.now()
      const ranBefore = runs.size
      await until(() => runs.size === JOBS, 'all to have run', ALL_JOBS_MS)
      const last = Date.now()
      const isOver = async (): Promise<boolean> => {
        const { active, delayed, waiting } = await queue.getJobCounts('active', 'delayed', 'waiting')
        return active! + delayed! + waiting! === 0
      }
      await until(isOver, 'all jobs to be over')
      const results = await Promise.all(tickets.map((id) => client.ticket(id).status()))
      report(`${JOBS} jobs due in one second, one of two schedulers killed`, {
        'run once': [...runs.values()].filter((count) => count === 1).length,
        'run more than once': [...runs.values()].filter((count) => count > 1).length,
        'run when it was killed': ranBefore,
        'active then': active,
        'all run after the first was due, ms': Math.max(...at) - dueAt,
        'all run after the kill, ms': last - killedAt,
      })
      expect([...runs.values()].every((count) => count === 1)).toBe(true)
      expect(results.every(({ state }) => state === 'completed')).toBe(true)
      // The fault hit.
      expect(ranBefore).toBeLessThan(JOBS)
    } finally {
      await queue.close()
    }
  },
  form(120_000, 400_000),
)

test(
  'a schedule of each second, while Redis, schedulers and workers are killed and started again: each firing once',
  async () => {
    redis = await startRedis({ appendonly: true, appendfsync: 'always' })
    const ledger = join(folder, 'ticks')
    writeFileSync(ledger, '')
    const everything = (): Promise<Process[]> =>
      Promise.all([
        scheduler(),
        ...form([], [scheduler()]),
        start(['worker', TASKS], /the worker takes requests/, { LEDGER: ledger }),
      ])
    let running = await everything()
    space = await openSpace(redis.url)
    await createClient({ space }).schedule('seconds', { cron: '* * * * * *' }, 'note', 'tick')
    await space.close()
    const lines = (): string[] => readFileSync(ledger, 'utf8').split('\n').filter(Boolean)
    const outages: number[] = []
    const rounds = form(1, 6)
    for (let round = 1; round <= rounds; round++) {
      const seen = lines().length
      await until(() => lines().length >= seen + form(2, 4), 'some firings')
      const downAt = Date.now()
      await Promise.all(running.map(kill))
      await redis.kill('SIGKILL')
      await redis.restart()
      running = await everything()
      outages.push(Date.now() - downAt)
    }
    const seen = lines().length
    await until(() => lines().length >= seen + form(2, 3), 'it to go on')
    space = await openSpace(redis.url)
    await createClient({ space }).unschedule('seconds')
    const queue = queueOn()
    try {
      await until(async () => {
        const { active, waiting } = await queue.getJobCounts('active', 'waiting')
        return active! + waiting! === 0
      }, 'all jobs to be over')
      const jobs = await queue.getJobs(['completed', 'failed'], 0, -1)
      const firings = jobs.map(({ id }) => Number(id!.split(':')[2])).sort((a, b) => a - b)
      const gaps = firings.slice(1).map((time, i) => time - firings[i]!)
      const runs = lines().length
      report(`a schedule of each second over ${rounds} restarts of everything`, {
        firings: firings.length,
        missed: gaps.reduce((sum, gap) => sum + gap / 1_000 - 1, 0),
        doubled: firings.length - new Set(firings).size,
        runs,
        'outages, ms': `median ${spread(outages).median}, longest ${spread(outages).most}`,
      })
      expect(gaps.filter((gap) => gap !== 1_000)).toEqual([])
      expect(runs).toBe(firings.length)
    } finally {
      await queue.close()
    }
  },
  form(120_000, 300_000),
)

failOnLeaks()
