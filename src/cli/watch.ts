/** Tells when a program's files change: all code under its folder, packages and hidden folders left out. */
import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'

/** Data files are left out: an app that writes one would be reloaded by its own requests. */
const CODE = /\.[cm]?[jt]sx?$/
const SKIPPED = /^(\..*|node_modules|dist|coverage)$/

/** An editor writes a file in several steps, and a formatter comes right after it. */
const QUIET_MS = 50

/** More folders than a program of one developer has; a home directory has them. */
const MOST_FOLDERS = 500

export interface Watch {
  close(): void
}

export function watchCode(folder: string, onChange: () => void): Watch {
  const watchers = new Map<string, FSWatcher>()
  let quiet: NodeJS.Timeout | undefined
  let closed = false

  const changed = (): void => {
    clearTimeout(quiet)
    quiet = setTimeout(() => {
      // A folder may have come with the change.
      follow(folder)
      onChange()
    }, QUIET_MS)
  }
  const forget = (path: string): void => {
    watchers.get(path)?.close()
    watchers.delete(path)
  }
  const follow = (path: string): void => {
    if (closed || watchers.size >= MOST_FOLDERS) return
    try {
      if (!watchers.has(path)) {
        const watcher = watch(path, (_event, name) => {
          // A name without a dot is most often a folder; what is none costs one reload.
          if (name === null || CODE.test(name) || (!name.includes('.') && !SKIPPED.test(name))) changed()
        })
        watcher.on('error', () => forget(path))
        watchers.set(path, watcher)
      }
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isDirectory() && !SKIPPED.test(entry.name)) follow(join(path, entry.name))
      }
    } catch {
      // Gone between being named and being watched, or not ours to read.
      forget(path)
    }
  }
  follow(folder)
  return {
    close() {
      closed = true
      clearTimeout(quiet)
      for (const path of [...watchers.keys()]) forget(path)
    },
  }
}
