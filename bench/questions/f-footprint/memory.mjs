/** The memory of idle processes: resident, and unshared with other processes (Linux; elsewhere `ps` knows the first alone). */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { commandsOf, stop } from './commands.mjs'

/** From ready to idle: V8 collects the garbage of the start, and shrinks its heap, after half a minute. */
const SETTLE_MS = 40_000
const BARE = 'node -e 0, kept running'

/** Returns `{ rss, own }` in MiB. */
function memoryOf(pid) {
  const file = `/proc/${pid}/smaps_rollup`
  if (!existsSync(file)) {
    const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
    return { rss: Number(stdout) / 1024 }
  }
  const text = readFileSync(file, 'utf8')
  const kB = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1])
  return { rss: kB('Rss') / 1024, own: (kB('Private_Clean') + kB('Private_Dirty')) / 1024 }
}

/** Resolves to name of the process → `{ rss, own }`; all stand at the same time. */
export async function memoryOfProcesses(bench) {
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  const kill = () => bare.kill('SIGKILL')
  process.once('exit', kill)
  const started = [{ child: bare, pids: { [BARE]: bare.pid } }]
  try {
    for (const { start } of commandsOf(bench)) started.push(await start())
    await pause(SETTLE_MS)
    const all = started.flatMap(({ pids }) => Object.entries(pids))
    return new Map(all.map(([name, pid]) => [name, memoryOf(pid)]))
  } finally {
    for (const each of started) await stop(each)
    process.off('exit', kill)
  }
}
