/** Other runtimes to try the project on, from npm: Node of several versions, Bun and Deno, each in a folder of its own under .cache. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../.cache/runtimes', import.meta.url))
const platform = `${process.platform}-${process.arch}`

/** Node versions that the project supports; the first is the oldest. */
export const NODES = ['20', '22', '24', '26']
/** Runtimes for which there is a smoke test and nothing else. */
export const OTHERS = ['bun', 'deno']

const packageOf = (name) => (OTHERS.includes(name) ? name : `node-${platform}`)
const binaryOf = (name, folder) =>
  OTHERS.includes(name)
    ? join(folder, 'node_modules', '.bin', name)
    : join(folder, 'node_modules', packageOf(name), 'bin', 'node')

/**
 * Returns the path of the binary of a runtime: `20` to `26`, `bun` or `deno`. Installs the newest release of it at the first call; remove its folder
 * to get a later release. Throws with npm's message if there is no package for this machine.
 */
export function runtime(name) {
  const folder = join(cache, name)
  const binary = binaryOf(name, folder)
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  const spec = OTHERS.includes(name) ? name : `${packageOf(name)}@${name}`
  process.stderr.write(`takespace: npm install ${spec} into ${folder}\n`)
  const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel', 'error', spec]
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' })
  if (status !== 0 || !existsSync(binary)) throw new Error(`${spec} could not be installed: ${stderr.trim()}`)
  return binary
}

/** An environment in which `node`, or the runtime's own name, is this binary. */
export const environmentOf = (binary) => ({ ...process.env, PATH: `${dirname(binary)}:${process.env.PATH}` })
