/** Copies of our build with pieces of its text replaced: what another release, or one with a defect, would be. */
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Change {
  readonly name: string
  /** Of dist; `lua`: the function library. */
  readonly file: string
  /** Each `from` is there exactly once. */
  readonly pieces: readonly (readonly [from: string, to: string])[]
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIBRARY = 'src/engines/redis/library.generated.js'

/** Answers the folder of the build that has been changed. Below the root, since it imports the same packages. */
export function changedBuild({ name, file, pieces }: Change): string {
  const folder = join(ROOT, '.cache', 'builds', name.replaceAll(' ', '-'))
  const dist = join(folder, 'dist')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const part of ['package.json', 'dist']) cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  const path = join(dist, file === 'lua' ? LIBRARY : file)
  const whole = readFileSync(path, 'utf8')
  let text = whole
  for (const [from, to] of pieces) {
    // The library is one text of JSON in its module.
    const [old, changed] = file === 'lua' ? [inJson(from), inJson(to)] : [from, to]
    if (text.split(old).length !== 2) throw new Error(`${name}: not exactly once in ${file}: ${from}`)
    text = text.replace(old, () => changed)
  }
  // Under a name of its own, as every other content of the library.
  const version = createHash('sha256').update(text).digest('hex').slice(0, 12)
  if (file === 'lua') text = text.replace(/LIBRARY_VERSION = '\w+'/, `LIBRARY_VERSION = '${version}'`)
  writeFileSync(path, text)
  return dist
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)
