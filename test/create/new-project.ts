/** A new project as `npm create takespace` writes it. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Process, startProcess } from '../support/process.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COMMAND = join(ROOT, 'create-takespace', 'main.js')

export const FRAMEWORKS = ['express', 'fastify', 'hono', 'nest']
export const LANGUAGES = ['ts', 'js']

/** Returns an empty folder outside of the checkout, where Node.js finds no package of it. */
export const emptyFolder = (): string => mkdtempSync(join(tmpdir(), 'takespace-create-'))

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })

/** Runs the command of the package in a folder. */
export const create = (folder: string, ...args: string[]): Process =>
  startProcess([process.execPath, COMMAND, ...args], { cwd: folder })

/** Gives a project this checkout as takespace, and packages that the checkout has, instead of installing them. */
export function linkPackages(project: string, names: readonly string[]): void {
  for (const name of ['takespace', ...names]) {
    const link = join(project, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(name === 'takespace' ? ROOT : join(ROOT, 'node_modules', name), link, 'junction')
  }
}

/** Runs a script of package.json as npm does. */
export const runScript = (project: string, script: string, ...args: string[]): Process =>
  startProcess(['npm', 'run', '--silent', script, '--', ...args], { cwd: project })
