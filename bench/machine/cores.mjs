/** How many cores each process used over a stretch of time, as the kernel counts it (Linux; elsewhere nothing is known). */
import { readFileSync } from 'node:fs'

/** Ticks a second of the figures in /proc: a constant of the kernel's interface. */
const TICKS = 100

function cpuSeconds(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is a name in parentheses that may hold anything; utime and stime are the 14th and 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  } catch {
    return Number.NaN
  }
}

const spent = (pids) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)

/** Starts to count. `roles`: role → process ids. What it returns ends the count: role → cores in use. */
export function countCores(roles) {
  const since = performance.now()
  const before = Object.entries(roles).map(([role, pids]) => [role, pids, spent(pids)])
  return () => {
    const seconds = (performance.now() - since) / 1000
    return Object.fromEntries(before.map(([role, pids, was]) => [role, (spent(pids) - was) / seconds]))
  }
}
