/** Installs of `npm start` and `npm test`: enough, and nothing that Node 20 warns of. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

interface Package {
  readonly version: string
  readonly deprecated?: string
  readonly engines?: { readonly node?: string }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = (name: string): string => new URL(`../../.ci/${name}`, import.meta.url).href
const { neededPaths, packagesOf } = await import(script('packages.mjs'))
const { FOR_START } = await import(script('install.mjs'))
const semver = 'semver'
const { default: versions } = await import(semver)

const locked: Record<string, Package> = packagesOf(join(root, 'package-lock.json'))
const start: ReadonlySet<string> = neededPaths(locked, FOR_START)

const codeIn = (folder: string): string =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[jt]s$/.test(file))
    .map((file) => readFileSync(join(root, folder, file), 'utf8'))
    .join('\n')

test('npm start installs what the sources and its example import, and no tools of the tests', () => {
  const text = ['src', 'gateway', 'workers', 'examples/shop'].map(codeIn).join('\n')
  const imports = [
    ...text.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s+)?'([^'.][^']*)'|\bimport\('([^'.][^']*)'\)/gm),
  ]
  const names = imports
    .map(([, fixed, dynamic]) => (fixed ?? dynamic) as string)
    .filter((name) => !/^(node:|takespace)/.test(name))
    .map((name) => name.match(/^(?:@[^/]+\/)?[^/]+/)![0])
  expect(names).toContain('bullmq')
  expect([...new Set(names)].filter((name) => !start.has(`node_modules/${name}`))).toEqual([])
  // Declarations of their own packages, without which the build fails.
  const compiled = ['src', 'gateway', 'workers'].map(codeIn).join('\n')
  const typed = [...new Set(names)]
    .filter((name) => compiled.includes(`'${name}'`))
    .map((name) => `node_modules/@types/${name}`)
    .filter((path) => locked[path])
  expect(typed).toContain('node_modules/@types/picomatch')
  expect(typed.filter((path) => !start.has(path))).toEqual([])
  const tools = ['@swc/jest', '@biomejs/biome', 'jest', 'vitest', 'fastify']
  expect(tools.filter((name) => start.has(`node_modules/${name}`))).toEqual([])
})

test('an install by npm alone has all that this platform needs', () => {
  const installed: Record<string, Package> = packagesOf(join(root, 'node_modules', '.package-lock.json'))
  const missing = [...(neededPaths(locked) as Set<string>)].filter((path) => !installed[path])
  expect(missing).toEqual([])
})

test('the packages of other platforms are not needed here', () => {
  const lock = {
    '': { dependencies: { tool: '1' } },
    'node_modules/tool': { optionalDependencies: { here: '1', elsewhere: '1' }, peerDependencies: { host: '*' } },
    'node_modules/here': { os: [process.platform], cpu: [process.arch] },
    'node_modules/elsewhere': { cpu: ['none'], dependencies: { inner: '1' } },
    'node_modules/elsewhere/node_modules/inner': {},
    'node_modules/host': {},
  }
  expect([...neededPaths(lock)].sort()).toEqual(['node_modules/here', 'node_modules/host', 'node_modules/tool'])
})

test('no package asks for a later Node than takespace does, and none is deprecated', () => {
  const [, oldest] = /(\d.*)/.exec(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node)!
  const complaints = Object.entries(locked).filter(
    ([path, { engines, deprecated }]) =>
      path !== '' && (deprecated || !versions.satisfies(`${oldest}.0`, engines?.node ?? '*')),
  )
  expect(complaints.map(([path]) => path)).toEqual([])
})

test('the packages of the benchmarks are installed with them alone', () => {
  const peers = JSON.parse(readFileSync(join(root, 'bench', 'package.json'), 'utf8')).dependencies
  const own = Object.keys(peers).filter((name) => name !== 'express-session')
  expect(own.filter((name) => locked[`node_modules/${name}`])).toEqual([])
  expect(existsSync(join(root, 'bench', 'package-lock.json'))).toBe(true)
})
