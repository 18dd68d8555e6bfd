/** The project of a file: package type, tsconfig, folder of packages. The only file that imports get-tsconfig. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import {
  createFilesMatcher,
  createPathsMatcher,
  getTsconfig,
  parseTsconfig,
  type TsConfigJson,
  type TsConfigResult,
} from 'get-tsconfig'

export interface Project {
  /** `type` of the nearest package.json. */
  readonly packageType: 'module' | 'commonjs' | undefined
  readonly compilerOptions: TsConfigJson.CompilerOptions
  /**
   * Returns the paths that `paths` and `baseUrl` of the tsconfig give for a specifier, best first; [] if none match.
   */
  pathsFor(specifier: string): readonly string[]
}

const projects = new Map<string, Project>()

/**
 * Returns the project of the nearest package.json and tsconfig.json above `file`; read once per folder until
 * `forgetProjects()`.
 */
export function projectOf(file: string): Project {
  const folder = dirname(file)
  const project = projects.get(folder) ?? read(file)
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

function read(file: string): Project {
  const folder = dirname(file)
  const tsconfig = tsconfigOf(file)
  const matcher = tsconfig ? createPathsMatcher(tsconfig) : null
  return {
    packageType: packageTypeOf(folder),
    compilerOptions: tsconfig?.config.compilerOptions ?? {},
    pathsFor: (specifier) => matcher?.(specifier) ?? [],
  }
}

/** Templates of Vite and Nx have a tsconfig.json that leaves files to its references. */
function tsconfigOf(file: string): TsConfigResult | null {
  const nearest = getTsconfig(dirname(file))
  const references = nearest?.config.references
  if (!nearest || !references?.length || createFilesMatcher(nearest)(file)) return nearest
  for (const { path } of references) {
    const target = resolve(dirname(nearest.path), path)
    const referenced = [target, join(target, 'tsconfig.json')].find(isFile)
    if (referenced === undefined) continue
    const candidate = { path: referenced, config: parseTsconfig(referenced) }
    if (createFilesMatcher(candidate)(file)) return candidate
  }
  return nearest
}

export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    // Absent, or its folder is a file.
    return false
  }
}

function packageTypeOf(folder: string): Project['packageType'] {
  const home = above(folder, (each) => existsSync(join(each, 'package.json')))
  if (home === undefined) return undefined
  try {
    const { type } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    return type === 'module' || type === 'commonjs' ? type : undefined
  } catch {
    // Node.js reports a malformed package.json itself.
    return undefined
  }
}
