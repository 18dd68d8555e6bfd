/** The conditions of a measurement: machine, versions, commit and date, as every result states them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const FOLDERS = [join(root, 'bench', 'node_modules'), join(root, 'node_modules')]

/** Returns the version of an installed package; undefined if none is installed. */
export function versionOf(name) {
  for (const folder of FOLDERS) {
    try {
      return JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')).version
    } catch {
      // Not in this folder.
    }
  }
  return undefined
}

function commit() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
  const changed = git('status', '--porcelain', '--', 'src', 'gateway', 'workers') !== ''
  return `${git('rev-parse', '--short', 'HEAD') || 'unknown'}${changed ? ' with changes' : ''}`
}

/** @param packages names of packages whose versions belong to the result; @param programs name → version of servers */
export function conditions(packages, programs) {
  const installed = packages.map((name) => [name, versionOf(name)]).filter(([, version]) => version)
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform} ${release().split('-')[0]}`,
    },
    versions: { 'Node.js': process.versions.node, ...programs, ...Object.fromEntries(installed) },
  }
}

/** Returns the conditions as one line of Markdown. */
export function conditionsLine({ date, commit, machine, versions }) {
  const { cpu, cores, memoryGiB, system } = machine
  const all = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${date} UTC, commit ${commit}; ${cores} × ${cpu}, ${memoryGiB} GiB, ${system}; loopback TCP; ${all.join(', ')}.`
}
