/** A whole system for fault tests: `takespace gateway` and `takespace worker` as real processes on one Redis. */
import { expect } from '@jest/globals'
import { ledgerApp, type Run } from '../support/app.js'
import { type Process, startProcess } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'

export interface System {
  readonly url: string
  readonly gateway: Process
  readonly supervisor: Process
  /** All executions of handlers so far. */
  runs(): Run[]
  /** The worker processes that are ready and alive. */
  workers(): number[]
  /** How many have become ready since the start. */
  readonly readied: number
  /** Kills a random worker process, its pid; the supervisor starts another. */
  strike(signal: NodeJS.Signals): Promise<number>
  /** Ends everything as its operator would, and checks that nothing stays in Redis. */
  drain(): Promise<void>
  /** Ends everything at once: for a test that failed half-way. */
  destroy(): void
}

export interface SystemOptions {
  readonly processes: number
  readonly concurrency?: number
}

export async function startSystem(redis: Redis, { processes, concurrency = 16 }: SystemOptions): Promise<System> {
  const app = ledgerApp()
  const env = { TAKESPACE_URL: redis.url, ...app.env }
  const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env })
  const flags = ['--processes', String(processes), '--concurrency', String(concurrency)]
  const supervisor = startProcess(['takespace', 'worker', app.file, ...flags], { env })

  const pidsIn = (pattern: RegExp): number[] => [...supervisor.output().matchAll(pattern)].map(([, pid]) => Number(pid))
  const readied = (): number[] => pidsIn(/"workerPid":(\d+)[^\n]*"a worker process is ready"/g)
  const struck = new Set<number>()
  const workers = (): number[] => readied().filter((pid) => !struck.has(pid) && alive(pid))

  const destroy = (): void => {
    for (const { pid } of [supervisor, gateway]) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    app.remove()
  }
  let url = ''
  try {
    url = (await gateway.line(/"url":"([^"]+)"/))[1] as string
    await until(() => workers().length === processes, 'the worker processes are ready')
  } catch (error) {
    destroy()
    throw error
  }

  return {
    url,
    gateway,
    supervisor,
    runs: app.runs,
    workers,
    get readied() {
      return readied().length
    },
    async strike(signal) {
      // With one left the next request would have nobody; that is no promise of ours.
      await until(() => workers().length >= 2, 'two worker processes are ready')
      const list = workers()
      const pid = list[Math.floor(Math.random() * list.length)] as number
      struck.add(pid)
      process.kill(pid, signal)
      return pid
    },
    async drain() {
      supervisor.kill('SIGTERM')
      expect(await supervisor.exited).toEqual({ code: 0, signal: null })
      gateway.kill('SIGTERM')
      expect(await gateway.exited).toEqual({ code: 0, signal: null })
      app.remove()
      await nothingIsLeft(redis)
    },
    destroy,
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
