/**
 * Finds Chromium for the tests of the dashboard's page, or unpacks it from the system's packages. Where there is none,
 * `npm test` leaves these tests out; with `--required`, as in CI, that is an error.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasDebianPackages, libraryPathIn, quietly, unpackInto, withLibraries } from './debian.mjs'

const cache = fileURLToPath(new URL('../.cache/chromium', import.meta.url))
const record = join(cache, 'programs.json')
const root = join(cache, 'root')
/** The binary itself: the script of the package reads files of /etc. */
const OWN = join(root, 'usr', 'lib', 'chromium', 'chromium')
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome']
const USUAL = ['/usr/bin', '/usr/local/bin', '/snap/bin']

const say = (line) => process.stderr.write(`takespace: ${line}\n`)

const starts = (command, libraryPath) =>
  existsSync(command) && quietly(command, ['--version'], withLibraries(libraryPath)).status === 0

/** A browser that starts, with the folders of its libraries. */
function find() {
  for (const dir of [...(process.env.PATH ?? '').split(delimiter), ...USUAL].filter(Boolean)) {
    for (const name of NAMES) {
      const command = join(dir, name)
      if (starts(command, '')) return { command, libraryPath: '' }
    }
  }
  const libraryPath = libraryPathIn(root)
  return starts(OWN, libraryPath) ? { command: OWN, libraryPath } : undefined
}

/** Nothing is installed. */
function unpacked() {
  if (!hasDebianPackages()) return undefined
  say("no Chromium here: unpacking the system's packages into .cache/chromium")
  const fill = (_get, unpack, getAll) => getAll('chromium') && unpack()
  return unpackInto(root, fill) ? find() : undefined
}

const found = find() ?? unpacked()
if (!found) {
  rmSync(record, { force: true })
  say('the tests of the page of the dashboard need Chromium, and are left out: install chromium')
  process.exit(process.argv.includes('--required') ? 1 : 0)
}
const text = `${JSON.stringify({ chromium: found }, null, 2)}\n`
if (!existsSync(record) || readFileSync(record, 'utf8') !== text) {
  mkdirSync(cache, { recursive: true })
  writeFileSync(record, text)
}
