/** The last release of layout 4, built from the project's own history. */
import { spawnSync } from 'node:child_process'
import { existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The last commit of layout 4. */
export const OLDER = '1e6330c'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

function run(command: string, args: readonly string[], cwd: string): boolean {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0 && command !== 'git') throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  return status === 0
}

/** Returns the folder of its build; null if the history does not reach back to it, as in a shallow clone. */
export function olderRelease(): string | null {
  const folder = join(ROOT, '.cache', 'releases', OLDER)
  const dist = join(folder, 'dist')
  if (existsSync(join(dist, '.built'))) return dist
  if (!run('git', ['cat-file', '-e', `${OLDER}^{commit}`], ROOT)) return null
  run('git', ['worktree', 'prune'], ROOT)
  if (!existsSync(folder) && !run('git', ['worktree', 'add', '--detach', folder, OLDER], ROOT)) return null
  // The packages that are installed; those of both releases are the same.
  if (!existsSync(join(folder, 'node_modules'))) symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  run(process.execPath, [join(folder, '.ci', 'build.mjs')], folder)
  return dist
}
