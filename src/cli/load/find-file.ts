/** Finds the file of an import by TypeScript's rules: `paths`, `.js` for a `.ts`, no extension, a folder's index. */
import { realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFile, isPackaged, projectOf } from './project.js'
import { TRANSPILED } from './transpile.js'

const ENDINGS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
/** Endings that TypeScript tries first for an import of JavaScript. */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx', '.jsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
}

/** Returns the real path of the file; undefined leaves the import to Node.js. `from` is the importing file. */
export function findFile(specifier: string, from: string): string | undefined {
  for (const target of targetsOf(specifier, from)) {
    // JavaScript follows Node's rules, except that a `.js` may be a `.ts` on disk.
    const isOfNode = IS_PATH.test(specifier) && !TRANSPILED.test(from)
    if (isOfNode && (isFile(target) || !/\.[cm]?jsx?$/.test(target))) return undefined
    const found = firstFile(target)
    if (found) return found
  }
  return undefined
}

const IS_PATH = /^(\.{0,2}\/|\.{1,2}$|file:)/

/** Returns the paths that an import may refer to, with or without an ending; [] for packages and their imports. */
export function targetsOf(specifier: string, from: string): readonly string[] {
  if (isPackaged(from)) return []
  if (specifier.startsWith('file:')) return [fileURLToPath(specifier)]
  if (IS_PATH.test(specifier)) return [resolve(dirname(from), specifier)]
  return /^(node:|data:|https?:|#)/.test(specifier) ? [] : projectOf(from).pathsFor(specifier)
}

function firstFile(target: string): string | undefined {
  const [, stem = '', ending = ''] = /^(.*?)(\.[cm]?jsx?)$/.exec(target) ?? []
  const candidates = [
    ...(SOURCES[ending] ?? []).map((source) => stem + source),
    target,
    ...ENDINGS.map((each) => target + each),
    ...ENDINGS.map((each) => `${target}/index${each}`),
  ]
  // `paths` may refer to declarations, which are for the compiler.
  const found = candidates.find((each) => isFile(each) && !/\.d\.[cm]?ts$/.test(each))
  return found && realpathSync(found)
}
