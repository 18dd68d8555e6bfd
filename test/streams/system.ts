/** A gateway or two and worker processes that run the app of streams, on one Redis; and what that app has noted. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nothingIsLeft } from '../faults/drained.js'
import { type Process, startProcess } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { groupAlive } from '../support/watchdog.js'

const APP = fileURLToPath(new URL('../../bench/apps/streaming.mjs', import.meta.url))

export interface Note {
  readonly event: string
  readonly url: string
  readonly pid: number
  readonly at: number
}

export interface Streaming {
  readonly urls: readonly string[]
  readonly gateways: readonly Process[]
  readonly supervisor: Process
  notes(): Note[]
  /** Ends everything as its operator would, and checks that nothing stays in Redis. */
  drain(): Promise<void>
  /** Resolves when its processes are gone. */
  destroy(): Promise<void>
}

interface Terms {
  readonly processes?: number
  readonly concurrency?: number
  readonly gateways?: number
  readonly gatewayFlags?: readonly string[]
  readonly workerFlags?: readonly string[]
  /** What `--direct-streams` is for all of them. Default: not given. */
  readonly directStreams?: string | undefined
  /** The environment of all processes, beside ours. */
  readonly env?: Record<string, string>
  /** The environment of the workers, beside that of all. */
  readonly workerEnv?: Record<string, string>
}

export async function startStreaming(redis: Redis, terms: Terms = {}): Promise<Streaming> {
  const { processes = 2, concurrency = 16, gateways: count = 1, directStreams, workerEnv } = terms
  const both = directStreams === undefined ? [] : ['--direct-streams', directStreams]
  const gatewayFlags = [...both, ...(terms.gatewayFlags ?? [])]
  const workerFlags = [...both, ...(terms.workerFlags ?? [])]
  const folder = mkdtempSync(join(tmpdir(), 'takespace-streams-'))
  const ledger = join(folder, 'ledger')
  const env = { TAKESPACE_URL: redis.url, LEDGER: ledger, ...terms.env }
  const gateways = Array.from({ length: count }, () =>
    startProcess(['takespace', 'gateway', '--port', '0', '--max-body-bytes', String(2 ** 40), ...gatewayFlags], {
      env,
    }),
  )
  const flags = ['--processes', String(processes), '--concurrency', String(concurrency), '--stop-timeout-ms', '2000']
  const supervisor = startProcess(['takespace', 'worker', APP, ...flags, ...workerFlags], {
    env: { ...env, ...workerEnv },
  })
  const destroy = async (): Promise<void> => {
    const all = [supervisor, ...gateways]
    for (const { pid } of all) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    await Promise.all(all.map(({ exited }) => exited))
    await until(() => all.every(({ pid }) => !groupAlive(pid)), 'its processes are gone')
    rmSync(folder, { recursive: true, force: true })
  }
  const urls: string[] = []
  try {
    for (const gateway of gateways) urls.push((await gateway.line(/"url":"([^"]+)"/))[1]!)
    const ready = /"workerPid":(\d+)[^\n]*"a worker process is ready"/g
    await until(() => [...supervisor.output().matchAll(ready)].length === processes, 'the worker processes are ready')
  } catch (error) {
    await destroy()
    throw error
  }
  return {
    urls,
    gateways,
    supervisor,
    notes() {
      if (!existsSync(ledger)) return []
      const lines = readFileSync(ledger, 'utf8').trim().split('\n')
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Note)
    },
    async drain() {
      for (const each of [supervisor, ...gateways]) {
        each.kill('SIGTERM')
        const { code, signal } = await each.exited
        if (code !== 0) throw new Error(`it ended with ${signal ?? code}:\n${each.output().slice(-2_000)}`)
      }
      await nothingIsLeft(redis)
      await destroy()
    },
    destroy,
  }
}
