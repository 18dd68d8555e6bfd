/** Foreign load: cores that processes other than the benchmark's use during a measurement (Linux; elsewhere unknown). */
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

/** User, nice, system and stolen time of the machine, s. Interrupts belong to no process: loopback traffic is handled there. */
function machineSeconds() {
  const [, user, nice, system, , , , , steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .map(Number)
  return { busy: (user + nice + system) / TICKS_PER_SECOND, stolen: steal / TICKS_PER_SECOND }
}

/** CPU seconds of this process, its descendants, and those that they have waited for. */
function ownSeconds() {
  const processes = new Map()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
      processes.set(Number(pid), { parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND })
    } catch {
      // Ended meanwhile.
    }
  }
  const isOwn = (pid) => pid === process.pid || (processes.has(pid) && isOwn(processes.get(pid).parent))
  return [...processes].filter(([pid]) => isOwn(pid)).reduce((sum, [, { seconds }]) => sum + seconds, 0)
}

function both() {
  try {
    return { at: performance.now(), ...machineSeconds(), own: ownSeconds() }
  } catch {
    return undefined
  }
}

/** Starts to count. The function that it returns ends the count: cores in use by others, stolen time of a guest included. */
export function countForeign() {
  const from = both()
  return () => {
    const to = both()
    if (!from || !to) return Number.NaN
    const busy = to.busy - from.busy - (to.own - from.own) + to.stolen - from.stolen
    return Math.max(0, busy / ((to.at - from.at) / 1000))
  }
}
