/** One preparation at a time: a lock in the cache folder that outlives no process. */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const ABANDONED_MS = 15 * 60_000

/**
 * Takes the lock `held`: a folder that holds one file, named after the pid of its holder. Moving a folder onto another succeeds only
 * when that one is empty, so the taking is one atomic step, and a dead holder is cleared by removing the file with its very pid.
 * Held until this process ends; `onWait` is told once who holds it.
 */
export async function lock(held, onWait) {
  const mine = `${held}.${process.pid}`
  rmSync(mine, { recursive: true, force: true })
  mkdirSync(mine, { recursive: true })
  writeFileSync(join(mine, String(process.pid)), '')
  for (let told = false; ; await pause(50)) {
    try {
      renameSync(mine, held)
      break
    } catch (error) {
      // What the systems say when the other folder is not empty.
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) throw error
    }
    const holder = holderOf(held)
    if (holder && !told) onWait(holder)
    told ||= Boolean(holder)
  }
  process.on('exit', () => rmSync(join(held, String(process.pid)), { force: true }))
}

/** The pid of the living holder; what a dead one left is removed. Age is judged too, since a pid may be someone else's by now. */
function holderOf(held) {
  try {
    for (const pid of readdirSync(held)) {
      const file = join(held, pid)
      if (alive(Number(pid)) && Date.now() - statSync(file).mtimeMs < ABANDONED_MS) return pid
      rmSync(file, { force: true })
    }
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  return null
}

function alive(pid) {
  try {
    return pid !== process.pid && process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}
