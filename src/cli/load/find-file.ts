/** Finds the file that an import means by TypeScript's rules: `paths`, `.js` for a `.ts`, no extension, a folder's index. */
import { realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFile, isPackaged, projectOf } from './project.js'
import { TRANSPILED } from './transpile.js'

const ENDINGS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
/** What TypeScript looks for first where an import names JavaScript. */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx', '.jsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
}

/** Returns the real path of the file, or undefined to leave the import to Node's own rules. `from` is the importing file. */
export function findFile(specifier: string, from: string): string | undefined {
  if (isPackaged(from)) return undefined
  if (/^(\.{0,2}\/|\.{1,2}$|file:)/.test(specifier)) {
    const target = specifier.startsWith('file:') ? fileURLToPath(specifier) : resolve(dirname(from), specifier)
    // JavaScript keeps to Node's rules, but for a `.js` that is a `.ts` on disk.
    if (!TRANSPILED.test(from) && (isFile(target) || !/\.[cm]?jsx?$/.test(target))) return undefined
    return firstFile(target)
  }
  if (/^(node:|data:|https?:|#)/.test(specifier)) return undefined
  for (const target of projectOf(from).pathsFor(specifier)) {
    const found = firstFile(target)
    if (found) return found
  }
  return undefined
}

function firstFile(target: string): string | undefined {
  const [, stem = '', ending = ''] = /^(.*?)(\.[cm]?jsx?)$/.exec(target) ?? []
  const candidates = [
    ...(SOURCES[ending] ?? []).map((source) => stem + source),
    target,
    ...ENDINGS.map((each) => target + each),
    ...ENDINGS.map((each) => `${target}/index${each}`),
  ]
  // `paths` may name declarations, which are for the compiler alone.
  const found = candidates.find((each) => isFile(each) && !/\.d\.[cm]?ts$/.test(each))
  return found && realpathSync(found)
}
