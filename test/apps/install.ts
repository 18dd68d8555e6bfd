/** Installs an app into `.cache/apps/<name>`: its packages from npm, its files from `projects`. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { App } from './app.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** npm may have to fetch some hundred packages, or a build to compile. */
const MOST_MS = 600_000

/** Returns the folder. Throws with the output of npm or of the build if one fails. */
export async function install(app: App): Promise<string> {
  const folder = join(ROOT, '.cache', 'apps', app.name)
  mkdirSync(folder, { recursive: true })
  const { type, packages: dependencies, overrides } = app
  const all = { name: `takespace-app-${app.name}`, private: true, type, dependencies, overrides }
  const manifest = `${JSON.stringify(all, null, 2)}\n`
  const installed = join(folder, 'node_modules', '.installed')
  if (read(installed) !== manifest) {
    writeFileSync(join(folder, 'package.json'), manifest)
    rmSync(installed, { force: true })
    await run(folder, 'npm', ['install', '--no-audit', '--no-fund', '--no-progress']).catch((error) => {
      const network = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH|E40[134]/.exec(error.message)
      throw new Error(
        network ? `its packages cannot be fetched from npm (${network[0]}): ${error.message}` : error.message,
      )
    })
    writeFileSync(installed, manifest)
  }
  const project = fileURLToPath(new URL(`projects/${app.project}`, import.meta.url))
  cpSync(project, folder, { recursive: true })
  const [command, ...args] = app.build ?? []
  if (command) await run(folder, command, args)
  return folder
}

/** Returns `name@version` of the app's own packages, as installed. */
export const versions = (app: App, folder: string): string[] =>
  Object.keys(app.packages).map((name) => {
    const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'))
    return `${name}@${version}`
  })

const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)

/** Returns the output; throws with it, unless the program ends with 0 in time. */
export async function run(
  cwd: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const binary = existsSync(join(cwd, 'node_modules', '.bin', command))
    ? join(cwd, 'node_modules', '.bin', command)
    : command
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      cwd,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: MOST_MS,
      killSignal: 'SIGKILL',
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(said)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}:\n${said.slice(-4_000)}`))
    })
  })
}
