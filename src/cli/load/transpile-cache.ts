/** Stores transpiled files between starts, one record per source, in `node_modules/.cache/takespace` of the project. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { above } from './project.js'

const require = createRequire(import.meta.url)

/** The versions of what affects the result, beside the inputs. */
let version: readonly string[] | undefined
const versionOfAll = (): readonly string[] => [versionOfCompiler(), process.versions.node]

/** Returns '' if the compiler is not installed; then nothing is stored. */
function versionOfCompiler(): string {
  try {
    return require('@swc/core/package.json').version
  } catch {
    return ''
  }
}

/** Returns the stored result of the same inputs; else that of `make`, and stores it. Errors of the disk are ignored. */
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
    // No record, or an incomplete one.
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
    // In a read-only image files are transpiled at each start.
  }
}

/** Only in the project's own folder: code in a shared one could be replaced by other users. */
function folderFor(path: string): string | undefined {
  const home = above(dirname(path), (folder) => existsSync(join(folder, 'node_modules')))
  return home === undefined ? undefined : join(home, 'node_modules', '.cache', 'takespace')
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)
