/** The cost of a request as workers grow: each has a presence of its own; two processes hold them all. */
import { setTimeout as pause } from 'node:timers/promises'
import { figure } from '../../answer/table.mjs'
import { countCores } from '../../machine/cores.mjs'
import { measure } from '../../run.mjs'
import { costsOf, samplesOf } from './sizes.mjs'

const SIZES = [2, 20, 200, 1_000]
const QUICK = [2, 200]
const PROCESSES = 2
const CONCURRENCY = 8
const START_MS = 120_000
const LOADS = [1, 64]
const IDLE_MS = 2_000
const groupOf = (inFlight) => `requests, ${inFlight} in flight, by workers of concurrency ${CONCURRENCY}`
export const GROUPS = LOADS.map(groupOf)

/** One size after the other: idle workers renew their presences, which must not count for the smaller sizes. */
export async function workers(bench) {
  const { children, runs, quick } = bench
  const found = LOADS.map(() => Array.from({ length: runs }, () => new Map()))
  const failures = []
  for (const size of quick ? QUICK : SIZES) {
    try {
      await measureSize(bench, size, found)
    } catch (error) {
      failures.push({ group: GROUPS[0], contender: figure(size, 0), values: {}, errors: 1, firstError: error.message })
    } finally {
      await children.end()
    }
  }
  const samples = LOADS.flatMap((inFlight, i) =>
    found[i].flatMap((each, run) => samplesOf(groupOf(inFlight), each, run)),
  )
  return [...samples, ...failures]
}

/** Adds to `found`: by load and run, size → measurement. */
async function measureSize({ children, redis, seconds }, size, found) {
  await redis.empty()
  const options = { url: redis.url, name: `workers-${size}`, warmUpMs: 500, seconds }
  const holding = { ...options, workers: size / PROCESSES, concurrency: CONCURRENCY }
  const fork = () => children.fork('presences', 'presences', holding, {}, START_MS)
  const holders = await Promise.all(Array.from({ length: PROCESSES }, fork))
  const driver = await children.fork('workers-client', 'contender', {
    ...options,
    contender: 'takespace-raw',
    side: 'client',
  })
  const system = { driver, roles: { client: [driver.pid], workers: holders.map(({ pid }) => pid) } }
  const idle = await idleCores({ ...system.roles, redis: [redis.pid] })
  await measure({ redis, seconds }, system, { inFlight: 64, seconds: 1 })
  for (const run of found[0].keys()) {
    for (const [i, inFlight] of LOADS.entries()) {
      const measured = await measure({ redis, seconds }, system, { inFlight })
      found[i][run].set(size, { ...measured, values: { ...costsOf(measured, idle), idle: 100 * idle.redis } })
    }
  }
}

/** Role → cores in use while no worker has anything to do but to renew its presence. */
async function idleCores(roles) {
  const cores = countCores(roles)
  await pause(IDLE_MS)
  return cores()
}
