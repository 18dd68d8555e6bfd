/** Ends what tests started, when they did not: a shell that outlives the test process by a moment, however that process ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

// It reads lines like `+ 123` and `- 123` and keeps the groups to end. Its input closes when the test process is gone, also by
// SIGKILL, and that is the only thing that an `exit` handler could not see.
const SCRIPT = `
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -KILL "-$group"; done
`

let watchdog: ChildProcess | undefined
const watched = new Map<number, string>()

function tell(line: string): void {
  watchdog ??= spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  const input = watchdog.stdin as NonNullable<ChildProcess['stdin']> & { unref?: () => void }
  // Neither keeps the test process alive.
  watchdog.unref()
  input.unref?.()
  input.write(`${line}\n`)
}

/** From now on this process group ends with the test process. Its leader was started with `detached: true`. */
export function watch(group: number, what: string): void {
  watched.set(group, what)
  tell(`+ ${group}`)
}

/** To be called when the leader has exited: a group that is empty is forgotten, since its number may be given to another. */
export function forget(group: number): void {
  if (groupAlive(group) || !watched.delete(group)) return
  tell(`- ${group}`)
}

/** Whether any process of the group is left, the leader or one that it started. */
export function groupAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
  } catch {
    return false
  }
  return process.platform !== 'linux' || readdirSync('/proc').some((pid) => runsIn(pid, group))
}

/** A signal also reaches the dead whom nobody has collected yet, and in a container that may be never; /proc tells them apart. */
function runsIn(pid: string, group: number): boolean {
  if (!/^\d+$/.test(pid)) return false
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, , itsGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(itsGroup) === group && state !== 'Z' && state !== 'X'
  } catch {
    return false
  }
}

/** What is still alive, in words. */
export const survivors = (): string[] =>
  [...watched].filter(([group]) => groupAlive(group)).map(([group, what]) => `${what} (pid ${group})`)

/** Ends them all now, and the watchdog too. */
export function endAll(): void {
  for (const group of watched.keys()) if (groupAlive(group)) process.kill(-group, 'SIGKILL')
  watched.clear()
  watchdog?.stdin?.end()
  watchdog = undefined
}
