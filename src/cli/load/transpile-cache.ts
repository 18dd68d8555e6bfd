/** Keeps transpiled files between starts, one record per source file, in `node_modules/.cache/takespace` of the project. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { above } from './project.js'

const require = createRequire(import.meta.url)

/** A new transpiler, or another way to call it, makes other code of the same source. */
let version: readonly string[] | undefined
const versionOfAll = (): readonly string[] => [
  readFileSync(new URL('./transpile.js', import.meta.url), 'utf8'),
  require('@swc/core/package.json').version,
  process.versions.node,
]

/** Returns the kept result if it was made from the same inputs, else what `make` returns, and keeps that. Never fails for the disk's sake. */
export function cached<T>(path: string, inputs: readonly unknown[], make: () => T): T {
  const folder = folderFor(path)
  if (folder === undefined) return make()
  version ??= versionOfAll()
  const key = hash(JSON.stringify([version, ...inputs]))
  const file = join(folder, `${hash(path)}.json`)
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    if (kept.key === key) return kept.transpiled
  } catch {
    // There is none, or its writer was killed.
  }
  const transpiled = make()
  keep(file, JSON.stringify({ key, transpiled }))
  return transpiled
}

function keep(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true })
    const unfinished = `${file}.${process.pid}`
    writeFileSync(unfinished, text)
    renameSync(unfinished, file)
  } catch {
    // A read-only image: transpiled anew at each start.
  }
}

/** Only a folder of the project's own: one that everybody may write to could be given code to run. */
function folderFor(path: string): string | undefined {
  const home = above(dirname(path), (folder) => existsSync(join(folder, 'node_modules')))
  return home === undefined ? undefined : join(home, 'node_modules', '.cache', 'takespace')
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)
