/** The project that a file belongs to: its package type, its tsconfig, its folder of packages. The only file that imports get-tsconfig. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { createPathsMatcher, getTsconfig, type TsConfigJson } from 'get-tsconfig'

export interface Project {
  /** `type` of the nearest package.json. */
  readonly packageType: 'module' | 'commonjs' | undefined
  readonly compilerOptions: TsConfigJson.CompilerOptions
  /** Returns the paths that `paths` and `baseUrl` of the tsconfig give for a specifier, best first; [] if none match. */
  pathsFor(specifier: string): readonly string[]
}

const projects = new Map<string, Project>()

/** Returns the project of the nearest package.json and tsconfig.json above `file`; read once per folder until `forgetProjects()`. */
export function projectOf(file: string): Project {
  const folder = dirname(file)
  const project = projects.get(folder) ?? read(folder)
  projects.set(folder, project)
  return project
}

export const forgetProjects = (): void => projects.clear()

/** Returns `path` or the nearest folder above it for which `test` holds. */
export function above(path: string, test: (folder: string) => boolean): string | undefined {
  for (let folder = path; ; folder = dirname(folder)) {
    if (test(folder)) return folder
    if (folder === dirname(folder)) return undefined
  }
}

export const isPackaged = (path: string): boolean => path.includes(`${sep}node_modules${sep}`)

function read(folder: string): Project {
  const tsconfig = getTsconfig(folder)
  const matcher = tsconfig ? createPathsMatcher(tsconfig) : null
  return {
    packageType: packageTypeOf(folder),
    compilerOptions: tsconfig?.config.compilerOptions ?? {},
    pathsFor: (specifier) => matcher?.(specifier) ?? [],
  }
}

function packageTypeOf(folder: string): Project['packageType'] {
  const home = above(folder, (each) => existsSync(join(each, 'package.json')))
  if (home === undefined) return undefined
  try {
    const { type } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    return type === 'module' || type === 'commonjs' ? type : undefined
  } catch {
    // Node itself reports a malformed package.json when it meets one.
    return undefined
  }
}
