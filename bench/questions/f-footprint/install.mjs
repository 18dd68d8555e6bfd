/** The size of an install: a package and all that it needs, installed into an empty folder from the registry. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LeftOut } from '../../servers/left-out.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const MOST_MS = 120_000
const BLOCK = 4_096

function npm(args, cwd) {
  const shell = process.platform === 'win32'
  const { status, stderr, error } = spawnSync('npm', args, { cwd, encoding: 'utf8', shell, timeout: MOST_MS })
  if (status !== 0) throw new LeftOut(`npm ${args[0]} failed: ${error?.message ?? stderr.trim().split('\n').at(-1)}`)
}

/** Returns `{ onDisk, bytes, files }` of a folder, in MB; on disk, in blocks of 4 KiB. */
function sizeOf(folder) {
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => statSync(join(file.parentPath, file.name)).size)
  const sum = (values) => values.reduce((total, value) => total + value, 0) / 1e6
  const onDisk = sum(sizes.map((size) => Math.ceil(size / BLOCK) * BLOCK))
  return { onDisk, bytes: sum(sizes), files: sizes.length }
}

/** Returns name → size of each installed package, and of `all`. Throws LeftOut if npm fails. @param spec of a package; packs takespace itself without one */
export function installed(spec) {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-bench-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    if (!spec) npm(['pack', '--pack-destination', folder], root)
    const what = spec ?? `./${readdirSync(folder).find((name) => name.endsWith('.tgz'))}`
    npm(['install', what, '--omit=dev', '--no-audit', '--no-fund'], folder)
    const modules = join(folder, 'node_modules')
    const names = readdirSync(modules)
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) =>
        name.startsWith('@') ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : name,
      )
    return new Map([['all', sizeOf(modules)], ...names.map((name) => [name, sizeOf(join(modules, name))])])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
