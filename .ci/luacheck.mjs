/** Runs luacheck over the joined Lua library: undefined, unused and shadowed names are errors. Installs it on Debian if it is missing. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onPath, quietly } from './debian.mjs'
import { joinLibrary } from './lua.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const joined = join(root, '.cache', 'library.lua')
/** Unused arguments (a callback takes what it is given), tables that are only written to, and the length of lines. */
const IGNORED = ['212', '331', '631']

if (!onPath('luacheck')) {
  console.error('takespace: installing lua-check')
  const install = () => quietly('apt-get', ['install', '-qq', '-y', 'lua-check']).status === 0
  if (!install()) quietly('apt-get', ['update', '-qq'])
  if (!onPath('luacheck') && !install()) {
    console.error('luacheck is missing and could not be installed: install it (Debian: apt-get install lua-check)')
    process.exit(1)
  }
}
mkdirSync(join(root, '.cache'), { recursive: true })
writeFileSync(joined, await joinLibrary())
const { status } = spawnSync(
  'luacheck',
  [
    joined,
    '--std',
    'lua51',
    '--globals',
    'redis',
    'cmsgpack',
    'struct',
    '--ignore',
    ...IGNORED,
    '--no-cache',
    '--quiet',
  ],
  { stdio: 'inherit' },
)
process.exit(status ?? 1)
