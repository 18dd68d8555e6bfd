/** A whole system for fault tests: `takespace gateway` and `takespace worker` as real processes on one Redis. */
import { ledgerApp, type Run } from '../support/app.js'
import { type Process, startProcess } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { groupAlive } from '../support/watchdog.js'
import { nothingIsLeft } from './drained.js'

export interface System {
  readonly url: string
  /** Of all gateways; `url` is the first. */
  readonly urls: readonly string[]
  readonly gateways: readonly Process[]
  readonly supervisor: Process
  /** All executions of handlers so far. */
  runs(): readonly Run[]
  /** The worker processes that run a handler now, as far as they have said. */
  busy(): number[]
  /** The worker processes that are ready and alive. */
  workers(): number[]
  /** How many have become ready since the start. */
  readonly readied: number
  /** Kills a random worker process, or one of those that `among` picks. Answers its pid; the supervisor starts another. */
  strike(signal: NodeJS.Signals, among?: (pids: readonly number[]) => readonly number[]): Promise<number>
  /** Ends everything as its operator would, and checks that nothing stays in Redis. */
  drain(): Promise<void>
  /** Ends everything at once: for a test that failed half-way. */
  /** Resolves when they are gone. */
  destroy(): Promise<void>
}

/** Eight processes on a busy machine. */
const READY_WITHIN_MS = 30_000

export interface SystemOptions {
  readonly processes: number
  readonly concurrency?: number
  /** What its workers run. Default: the ledger app. */
  readonly appFile?: string
  /** How many. Default 1. */
  readonly gateways?: number
  /** What its processes find in their environment beside what they need. */
  readonly env?: Readonly<Record<string, string>>
  /** Of the gateways alone. */
  readonly gatewayEnv?: Readonly<Record<string, string>>
  readonly gatewayFlags?: readonly string[]
  readonly workerFlags?: readonly string[]
  /** How the end of a drain is checked. Default: nothing but constant keys is on the one server. */
  readonly nothingIsLeft?: () => Promise<void>
  /** Whom a strike hits. */
  readonly random?: () => number
}

export async function startSystem(redis: Pick<Redis, 'url' | 'cli'>, options: SystemOptions): Promise<System> {
  const { processes, concurrency = 16, random = Math.random } = options
  const app = ledgerApp()
  const env = { TAKESPACE_URL: redis.url, ...app.env, ...options.env }
  const gateways = Array.from({ length: options.gateways ?? 1 }, () =>
    startProcess(['takespace', 'gateway', '--port', '0', ...(options.gatewayFlags ?? [])], {
      env: { ...env, ...options.gatewayEnv },
    }),
  )
  const flags = ['--processes', String(processes), '--concurrency', String(concurrency), ...(options.workerFlags ?? [])]
  const supervisor = startProcess(['takespace', 'worker', options.appFile ?? app.file, ...flags], { env })

  const pidsIn = (pattern: RegExp): number[] => [...supervisor.output().matchAll(pattern)].map(([, pid]) => Number(pid))
  const readied = (): number[] => pidsIn(/"workerPid":(\d+)[^\n]*"a worker process is ready"/g)
  const struck = new Set<number>()
  const workers = (): number[] => readied().filter((pid) => !struck.has(pid) && alive(pid))

  const busy = (): number[] => [...new Set(app.open().map(({ pid }) => pid))].filter(alive)

  const destroy = async (): Promise<void> => {
    const all = [supervisor, ...gateways]
    for (const { pid } of all) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    app.remove()
    await Promise.all(all.map(({ exited }) => exited))
    // The worker processes are of the group of their supervisor, and may outlive it by a moment.
    await until(() => all.every(({ pid }) => !groupAlive(pid)), 'all killed processes are gone')
  }
  const urls: string[] = []
  try {
    for (const gateway of gateways) urls.push((await gateway.line(/"url":"([^"]+)"/))[1] as string)
    await until(() => workers().length === processes, 'the worker processes are ready', READY_WITHIN_MS)
  } catch (error) {
    await destroy()
    throw error
  }

  return {
    url: urls[0] as string,
    urls,
    gateways,
    supervisor,
    runs: app.runs,
    busy,
    workers,
    get readied() {
      return readied().length
    },
    async strike(signal, among = (pids) => pids) {
      // With one left the next request would have nobody; that is no promise of ours.
      await until(() => workers().length >= 2, 'two worker processes are ready')
      let list: readonly number[] = []
      await until(
        () => {
          list = among(workers())
          return list.length > 0
        },
        'one that may be struck is ready',
        READY_WITHIN_MS,
      )
      const pid = list[Math.floor(random() * list.length)] as number
      struck.add(pid)
      process.kill(pid, signal)
      return pid
    },
    async drain() {
      for (const process of [supervisor, ...gateways]) {
        process.kill('SIGTERM')
        const { code, signal } = await process.exited
        if (code !== 0)
          throw new Error(`it ended with ${signal ?? code} and not with 0:\n${process.output().slice(-2_000)}`)
      }
      app.remove()
      await (options.nothingIsLeft ?? (() => nothingIsLeft(redis)))()
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
