/**
 * Follows an app's files: loaded ones, code beside them, and those of `--watch`. The only file that imports picomatch.
 */
import { existsSync, type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import picomatch from 'picomatch'

export interface WatchTerms {
  /** Files, folders with all below them, and globs that are followed as well. */
  readonly watch?: readonly string[]
  /** Files, folders and globs that are not followed. */
  readonly ignore?: readonly string[]
}

export interface FileWatch {
  /** Follows this file from now on. */
  add(path: string): void
  close(): void
}

/** Endings of files that may be loaded soon if they are new beside loaded ones; logs, uploads and databases are not. */
const CODE = /\.([cm]?[jt]s|[jt]sx)$/
const SKIPPED = /^(\..*|node_modules)$/
/** Editors write a file in several steps, and a formatter may follow. */
const QUIET_MS = 50
/** More folders than an app has; a home directory has more. */
const MOST_FOLDERS = 1_000

/** `onChange` is called with one of the changed files, relative to the current folder. */
export function watchFiles({ watch: more = [], ignore = [] }: WatchTerms, onChange: (file: string) => void): FileWatch {
  const loaded = new Set<string>()
  const watchers = new Map<string, FSWatcher>()
  const isNamed = matcher(more)
  const isIgnored = matcher(ignore)
  let quiet: NodeJS.Timeout | undefined
  let closed = false

  const changed = (path: string): void => {
    if (isIgnored(path)) return
    const follows = loaded.has(path) || (CODE.test(path) && isBesideLoaded(path)) || isNamed(path)
    if (!follows) return
    clearTimeout(quiet)
    quiet = setTimeout(() => onChange(relative('', path)), QUIET_MS)
  }
  const isBesideLoaded = (path: string): boolean => {
    const folder = dirname(path)
    for (const each of loaded) if (dirname(each) === folder) return true
    return false
  }
  const forget = (folder: string): void => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }
  /** Missing folders: the nearest existing one above each is followed. */
  const absent = new Set<string>()
  const retryBelow = (folder: string): void => {
    for (const each of [...absent]) {
      if (!each.startsWith(`${folder}/`) || !follow(each)) continue
      absent.delete(each)
      // Its files may exist already.
      for (const path of loaded) if (dirname(path) === each) changed(path)
    }
  }
  /** Returns whether the folder is there and is followed. */
  const follow = (folder: string): boolean => {
    if (watchers.has(folder)) return true
    if (closed || watchers.size >= MOST_FOLDERS) return false
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null) return
        const path = join(folder, name)
        // The folder itself was deleted or moved, and another may replace it.
        if (name === basename(folder)) {
          forget(folder)
          absent.add(folder)
          follow(dirname(folder))
          retryBelow(dirname(folder))
        }
        retryBelow(folder)
        // New folders below a followed one are followed too.
        if (isNamed(path)) followAll(path)
        changed(path)
      })
      watcher.on('error', () => forget(folder))
      watchers.set(folder, watcher)
      return true
    } catch (error) {
      // Missing, or not readable.
      absent.add(folder)
      if (folder === dirname(folder)) return false
      follow(dirname(folder))
      // It may have come meanwhile.
      return (error as NodeJS.ErrnoException).code === 'ENOENT' && existsSync(folder) && follow(folder)
    }
  }
  const followAll = (path: string): void => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat?.isFile()) follow(dirname(path))
    if (!stat?.isDirectory() || isIgnored(path)) return
    follow(path)
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !SKIPPED.test(entry.name)) followAll(join(path, entry.name))
    }
  }
  for (const each of more) followAll(real(picomatch.scan(each).base || '.'))
  return {
    add(path) {
      loaded.add(path)
      follow(dirname(path))
    },
    close() {
      closed = true
      clearTimeout(quiet)
      for (const folder of [...watchers.keys()]) forget(folder)
    },
  }
}

/**
 * Returns a test for patterns: a file, a folder with everything below it, or a glob; `*.log` also matches in
 * subfolders.
 */
function matcher(patterns: readonly string[]): (path: string) => boolean {
  const tests = patterns.map((pattern) => {
    const { base, glob, isGlob } = picomatch.scan(pattern)
    if (!isGlob) {
      const target = real(pattern)
      return (path: string) => path === target || path.startsWith(`${target}/`)
    }
    const root = real(base || '.')
    const matches = picomatch(glob, { dot: true, matchBase: true } as object)
    return (path: string) => !relative(root, path).startsWith('..') && matches(relative(root, path))
  })
  return (path) => tests.some((test) => test(path))
}

/** Returns the real path, as the loader names files; the absolute path of a missing file. */
export function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}
