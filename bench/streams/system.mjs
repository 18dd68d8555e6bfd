/** A gateway and worker processes that run the app of streams, on a Redis of their own; what each takes while something goes on. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Children } from '../children.mjs'
import { freePort, startRedis } from '../redis.mjs'

export const APP = fileURLToPath(new URL('../apps/streaming.mjs', import.meta.url))
const READY_MS = 20_000
const LOOK_MS = 50

/** `onLog` is given each line that the workers log. */
export async function startSystem({
  aof,
  processes = 2,
  concurrency = 64,
  gatewayFlags = [],
  flags: bothFlags = [],
  app = APP,
  onLog,
  profileFolder,
}) {
  const redis = await startRedis({ aof })
  const children = new Children(profileFolder)
  const folder = mkdtempSync(join(tmpdir(), 'takespace-bench-'))
  const ledger = join(folder, 'ledger')
  const port = await freePort()
  const unbounded = ['--max-body-bytes', String(2 ** 40)]
  const gateway = children.command('gateway', [
    ...['gateway', '--port', String(port), '--url', redis.url],
    ...unbounded,
    ...bothFlags,
    ...gatewayFlags,
  ])
  const workers = []
  await new Promise((resolve, reject) => {
    const heard = (line) => {
      onLog?.(line)
      const { workerPid, msg } = line
      if (msg === 'a worker process is ready') workers.push(workerPid)
      if (workers.length === processes) resolve()
    }
    const flags = [
      '--processes',
      String(processes),
      '--concurrency',
      String(concurrency),
      '--stop-timeout-ms',
      '500',
      ...bothFlags,
    ]
    children.command('worker', ['worker', app, ...flags, '--url', redis.url], {
      logLevel: 'info',
      onLog: heard,
      more: { LEDGER: ledger },
    })
    setTimeout(() => reject(new Error('the workers were not ready in time')), READY_MS).unref()
  })
  const url = `http://127.0.0.1:${port}`
  await answered(url)
  return {
    url,
    redis,
    children,
    /** Process ids by role. */
    pids: {
      gateway: gateway.pid,
      ...Object.fromEntries(workers.map((pid, i) => [`worker ${i + 1}`, pid])),
      redis: redis.pid,
    },
    notes: () => notesIn(ledger),
    async stop() {
      await children.end()
      await redis.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function notesIn(ledger) {
  try {
    return readFileSync(ledger, 'utf8').trim().split('\n').filter(Boolean).map(JSON.parse)
  } catch {
    return []
  }
}

export async function answered(url) {
  const end = performance.now() + READY_MS
  for (;;) {
    const status = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      (res) => res.status,
      () => 0,
    )
    if (status === 200) return
    if (performance.now() > end) throw new Error(`no answer from ${url}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const residentMiB = (pid) => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1_024
  } catch {
    return Number.NaN
  }
}

/** CPU seconds of a process so far. */
const cpuSeconds = (pid) => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return Number.NaN
  }
}

/** Returns a function that returns the CPU seconds that each process has taken since. */
export function watchCpu(pids) {
  const before = Object.entries(pids).map(([role, pid]) => [role, pid, cpuSeconds(pid)])
  return () => Object.fromEntries(before.map(([role, pid, at]) => [role, (cpuSeconds(pid) - at).toFixed(1)]))
}

/** Watches what each takes, from now until what it returns is called; that answers by how much it was more than now, at most, in MiB. */
export function watchMemory(pids) {
  const idle = Object.fromEntries(Object.entries(pids).map(([role, pid]) => [role, residentMiB(pid)]))
  const most = { ...idle }
  const timer = setInterval(() => {
    for (const [role, pid] of Object.entries(pids)) most[role] = Math.max(most[role], residentMiB(pid) || 0)
  }, LOOK_MS)
  return () => {
    clearInterval(timer)
    return Object.fromEntries(Object.keys(pids).map((role) => [role, Math.round(most[role] - idle[role])]))
  }
}

export const listed = (figures) =>
  Object.entries(figures)
    .map(([name, figure]) => `${name} ${figure}`)
    .join(', ')

/** Rounded to `1 / parts`. */
export function percentile(list, p, parts = 10) {
  const sorted = [...list].sort((a, b) => a - b)
  const found = sorted[Math.min(Math.floor((sorted.length * p) / 100), sorted.length - 1)] ?? Number.NaN
  return Math.round(found * parts) / parts
}

/** `GET /` at an even pace, each of its times in ms; stops when told, and answers them. */
export function pace(url, perSecond) {
  const agent = new Agent({ keepAlive: true })
  const times = []
  let failed = 0
  const ask = () => {
    const since = performance.now()
    const req = request(url, { agent }, (res) => {
      res.resume().on('end', () => {
        times.push(performance.now() - since)
        if (res.statusCode !== 200) failed++
      })
    })
    req.on('error', () => failed++).end()
  }
  const timer = setInterval(ask, 1_000 / perSecond)
  return async () => {
    clearInterval(timer)
    await new Promise((resolve) => setTimeout(resolve, 200))
    agent.destroy()
    return { p50: percentile(times, 50), p99: percentile(times, 99), count: times.length, failed }
  }
}
