/** Copies of our build with pieces of its text replaced: what another release, or one with a defect, would be. */
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Change {
  readonly name: string
  /** `lua`: the function library; `js`: the code. */
  readonly of: 'lua' | 'js'
  /** Each `from` is there exactly once. */
  readonly pieces: readonly (readonly [from: string, to: string])[]
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Answers the folder of the build that has been changed. Below the root, since it imports the same packages. */
export function changedBuild({ name, of, pieces }: Change): string {
  const folder = join(ROOT, '.cache', 'builds', name.replaceAll(' ', '-'))
  const dist = join(folder, 'dist')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const part of ['package.json', 'dist']) cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  const patterns = pieces.map(([from, to]) =>
    of === 'lua' ? { from: inText(from), to: inJson(to) } : { from: inCode(from), to },
  )
  const [path, ...others] = filesWith(patterns[0]!.from, dist)
  if (path === undefined || others.length > 0) throw new Error(`${name}: not in one file: ${pieces[0]![0]}`)
  let text = readFileSync(path, 'utf8')
  for (const [i, { from, to }] of patterns.entries()) {
    if (text.split(from).length !== 2) throw new Error(`${name}: not exactly once in ${path}: ${pieces[i]![0]}`)
    text = text.replace(from, () => to)
  }
  // Under a name of its own, as every other content of the library.
  const version = createHash('sha256').update(text).digest('hex').slice(0, 12)
  if (of === 'lua') text = text.replace(/LIBRARY_VERSION = (["'])\w+\1/, `LIBRARY_VERSION = '${version}'`)
  writeFileSync(path, text)
  return dist
}

/** The build joins modules, so a piece may be in any file. */
const filesWith = (pattern: RegExp, dist: string): string[] =>
  readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .map((file) => join(dist, file))
    .filter((path) => pattern.test(readFileSync(path, 'utf8')))

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** The library is one text of JSON in its module. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)
const inText = (text: string): RegExp => new RegExp(escaped(inJson(text)))

/** The build prints code anew, with quotes and spaces of its own. */
const inCode = (text: string): RegExp => new RegExp(escaped(text).replace(/['"]/g, '["\']').replace(/\s+/g, '\\s*'))
