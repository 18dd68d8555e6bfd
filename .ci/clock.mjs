/** Compiles the library by which tests step the clock of a process (test/support/clock.c), and gets a compiler if there is none. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasDebianPackages, onPath, quietly, unpackInto } from './debian.mjs'

const source = fileURLToPath(new URL('../test/support/clock.c', import.meta.url))
const cache = fileURLToPath(new URL('../.cache/clock', import.meta.url))
const unpacked = join(cache, 'root')
const library = join(cache, 'clock.so')
/** The text that it was compiled from. */
const record = join(cache, 'clock.c')

const say = (line) => process.stderr.write(`takespace: ${line}\n`)

/** tcc is a third of a megabyte, and needs nothing but the C library that is there. */
function unpackedCompiler() {
  const binary = join(unpacked, 'usr', 'bin', 'tcc')
  if (!existsSync(binary)) {
    if (!hasDebianPackages()) return null
    say("no C compiler here: unpacking the system's tcc into .cache/clock")
    if (!unpackInto(unpacked, (get, unpack) => get('tcc') && unpack())) return null
  }
  const libraries = join(unpacked, 'usr', 'lib')
  const own = readdirSync(libraries, { recursive: true, withFileTypes: true }).find((file) => file.name === 'libtcc1.a')
  return [binary, '-B', own.parentPath ?? own.path]
}

function compiler() {
  const found = ['cc', 'gcc', 'clang', 'tcc'].find(onPath)
  return found ? [found] : unpackedCompiler()
}

function main() {
  // Elsewhere there is no such preloading, and the tests of clocks are left out.
  if (process.platform !== 'linux') return
  const text = readFileSync(source, 'utf8')
  if (existsSync(library) && existsSync(record) && readFileSync(record, 'utf8') === text) return
  mkdirSync(cache, { recursive: true })
  rmSync(record, { force: true })
  const [command, ...first] = compiler() ?? []
  if (!command) return say('the tests of clock steps need a C compiler, and there is none: install gcc, clang or tcc')
  const { status, stderr } = quietly(command, [...first, '-shared', '-fPIC', '-nostdlib', '-o', library, source])
  if (status !== 0) return say(`${command} could not compile test/support/clock.c:\n${stderr}`)
  writeFileSync(record, text)
}

main()
