/** A project that has installed the package: from the packed file, beside links to the packages that it needs. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Process, startProcess } from '../support/process.js'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

export interface Project {
  readonly folder: string
  /** The packed file. */
  readonly tarball: string
  /** The files of the package, as paths from its root. */
  readonly files: readonly string[]
  read(file: string): string
  run(command: readonly string[]): Process
  remove(): void
}

/** @param others packages of this checkout that the project has beside takespace and its dependencies */
export function createProject(others: readonly string[] = []): Project {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-project-'))
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm']
  const [command, ...first] = npm as [string, ...string[]]
  const packed = execFileSync(command, [...first, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }]
  const tarball = join(folder, filename)
  const installed = join(folder, 'node_modules', 'takespace')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  for (const name of [...Object.keys(manifest.dependencies), ...others]) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), link, 'junction')
  }
  return {
    folder,
    tarball,
    files: files.map(({ path }) => path),
    read: (file) => readFileSync(join(installed, file), 'utf8'),
    run: (command) => startProcess(command, { cwd: folder }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The packages whose types the checked programs import. */
export const TYPED = [
  ...readdirSync(join(ROOT, 'node_modules', '@types')).map((name) => `@types/${name}`),
  'express-session',
  'undici-types',
  'zod',
]

/** How a project sets up its compiler. */
export interface Setting {
  readonly name: string
  readonly options: Readonly<Record<string, unknown>>
  /** Names of the checked files, and which of the programs each is. `.mts` is an ES module, `.cts` is CommonJS. */
  readonly files: Readonly<Record<string, Program>>
}

type Program = 'uses' | 'promises'

const BOTH_FORMATS: Setting['files'] = { 'uses.mts': 'uses', 'uses.cts': 'uses', 'promises.mts': 'promises' }
const ONE_FORMAT: Setting['files'] = { 'uses.ts': 'uses', 'promises.ts': 'promises' }

export const NODE16: Setting = { name: 'node16', options: { module: 'node16' }, files: BOTH_FORMATS }
/** From TypeScript 5.8 on CommonJS may import ES modules here; before that it was the same as `node16`. */
export const NODE_NEXT: Setting = { name: 'nodenext', options: { module: 'nodenext' }, files: BOTH_FORMATS }
export const BUNDLER: Setting = {
  name: 'bundler',
  options: { module: 'esnext', moduleResolution: 'bundler' },
  files: ONE_FORMAT,
}
/** TypeScript 7 has none. */
export const NODE10: Setting = {
  name: 'node10',
  options: { module: 'commonjs', moduleResolution: 'node10' },
  files: ONE_FORMAT,
}

/**
 * Has a compiler check programs in a project, with its strictest options.
 * @param compiler the path of its program
 * @returns its complaints, one a line, and its exit code; '' for none
 */
export async function complaints(project: Project, compiler: string, setting: Setting): Promise<string> {
  const folder = join(project.folder, setting.name)
  mkdirSync(folder, { recursive: true })
  for (const [file, program] of Object.entries(setting.files)) writeFileSync(join(folder, file), textOf(program))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    esModuleInterop: true,
    skipLibCheck: false,
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable'],
    types: ['node'],
    ...setting.options,
  }
  const files = Object.keys(setting.files)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const ran = project.run([process.execPath, compiler, '-p', folder, '--pretty', 'false'])
  const { code } = await ran.exited
  return code === 0 ? ran.output() : `${ran.output()}exit code ${code}`
}

/** The program of this folder, or what the compiler promises (test/surface) as one who has installed the package would write it. */
function textOf(program: Program): string {
  if (program === 'uses') return readFileSync(join(ROOT, 'test', 'consumer', 'uses.ts'), 'utf8')
  return readFileSync(join(ROOT, 'test', 'surface', 'types.ts'), 'utf8')
    .replace('../../src/index.js', 'takespace')
    .replace('../../workers/index.js', 'takespace/workers')
}
