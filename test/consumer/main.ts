/** `npm run test:types`: checks the package's types with every minor version of TypeScript that it supports, in every way to resolve it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUNDLER, complaints, createProject, NODE_NEXT, NODE10, NODE16, ROOT, type Setting, TYPED } from './project.js'

/** The last of each minor version, and the ways to resolve a package that it has. */
const VERSIONS: readonly (readonly [string, readonly Setting[]])[] = [
  ['5.4.5', [NODE16, BUNDLER, NODE10]],
  ['5.5.4', [NODE16, BUNDLER, NODE10]],
  ['5.6.3', [NODE16, BUNDLER, NODE10]],
  ['5.7.3', [NODE16, BUNDLER, NODE10]],
  ['5.8.3', [NODE16, NODE_NEXT, BUNDLER, NODE10]],
  ['5.9.3', [NODE16, NODE_NEXT, BUNDLER, NODE10]],
  ['6.0.3', [NODE16, NODE_NEXT, BUNDLER]],
  ['7.0.2', [NODE16, NODE_NEXT, BUNDLER]],
]

/** Installs a compiler into .cache/typescript if it is not there. Returns the path of its program. */
function compilerOf(version: string): string {
  const folder = join(ROOT, '.cache', 'typescript', version)
  const installed = join(folder, 'node_modules', 'typescript')
  if (!existsSync(join(installed, 'package.json'))) {
    mkdirSync(folder, { recursive: true })
    const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `typescript@${version}`]
    execFileSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' })
  }
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  return join(installed, bin.tsc)
}

const project = createProject(TYPED)
let failures = 0
try {
  for (const [version, settings] of VERSIONS) {
    const compiler = compilerOf(version)
    for (const setting of settings) {
      const said = await complaints(project, compiler, setting)
      console.log(`${said === '' ? 'ok    ' : 'failed'} TypeScript ${version}, ${setting.name}`)
      if (said !== '') console.log(said)
      failures += said === '' ? 0 : 1
    }
  }
} finally {
  project.remove()
}
process.exitCode = failures === 0 ? 0 : 1
