/** The house rules, measured on the files. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface File {
  /** From the root, with slashes. */
  readonly path: string
  readonly text: string
}

const filesIn = (...folders: string[]): File[] =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && /\.(ts|lua|mjs|js)$/.test(file.name) && !file.name.includes('.generated.'))
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => !path.includes(`${sep}node_modules${sep}`))
      .map((path) => ({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') })),
  )

const code = filesIn('src', 'gateway', 'workers')
const all = [...code, ...filesIn('.ci', 'bench', 'examples', 'test')]

const pathsOf = (files: readonly File[]): string[] => files.map(({ path }) => path).sort()

/** What a file imports at run time: its own files from the root, packages by name. Types leave nothing behind. */
function importsOf({ path, text }: File): string[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(?!type\b)(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm,
  )
  return [...statements].map(([, fixed, dynamic]) => {
    const target = (fixed ?? dynamic) as string
    if (!target.startsWith('.')) return target
    return relative(root, resolve(root, dirname(path), target))
      .split(sep)
      .join('/')
  })
}

test('there is something to measure', () => {
  expect(code.length).toBeGreaterThan(50)
  expect(importsOf(code.find(({ path }) => path === 'src/open.ts')!)).toContain('src/engines/redis/index.js')
  expect(importsOf(code.find(({ path }) => path === 'src/cli/commands/dev.ts')!)).toContain('gateway/index.js')
})

test('no file has more than 400 lines', () => {
  expect(pathsOf(all.filter(({ text }) => text.split('\n').length > 401))).toEqual([])
})

test('every file opens with a comment that says what it is', () => {
  const opens = ({ path, text }: File): boolean => {
    const [first = '', second = ''] = text.replace(/^#!.*\n/, '').split('\n')
    if (path.endsWith('.lua')) return /^-- \S+ \S+/.test(first)
    if (path.endsWith('.js') && /^\/\/ \S+ \S+/.test(first)) return true
    return /^\/\*\* \S+ \S+/.test(first) || (first === '/**' && /^ \* \S+ \S+/.test(second))
  }
  expect(pathsOf(all.filter((file) => !opens(file)))).toEqual([])
})

test('no file is a drawer', () => {
  const drawer = /^(utils?|helpers?|common|lib|types?|interfaces?|misc)\.\w+$/
  expect(pathsOf(code.filter(({ path }) => drawer.test(basename(path))))).toEqual([])
})

test('arrows go cli → gateway, workers → src', () => {
  const partOf = (path: string): string => (path.startsWith('src/cli/') ? 'cli' : (path.split('/')[0] as string))
  const allowed: Record<string, string[]> = {
    cli: ['cli', 'gateway', 'workers', 'src'],
    gateway: ['gateway', 'src'],
    workers: ['workers', 'src'],
    src: ['src'],
  }
  const wrong = code.flatMap((file) =>
    importsOf(file)
      .filter((target) => /^(src|gateway|workers)\//.test(target))
      .filter((target) => !allowed[partOf(file.path)]?.includes(partOf(target)))
      .map((target) => `${file.path} imports ${target}`),
  )
  expect(wrong).toEqual([])
})

test('one door for each: the Redis client, the port, the clock, the signals of users', () => {
  const importing = (name: string): string[] => pathsOf(code.filter((file) => importsOf(file).includes(name)))
  expect(importing('ioredis')).toEqual(['src/engines/redis/wire/connection.ts'])
  expect(importing('bullmq')).toEqual(['src/schedulers/bullmq.ts'])
  expect(importing('cron-parser')).toEqual(['src/schedulers/cron.ts'])
  expect(importing('zod')).toEqual(['src/cli/settings/schema.ts'])
  expect(importing('@opentelemetry/api')).toEqual(['src/admin/spans.ts'])
  const naming = (name: string): string[] => pathsOf(code.filter(({ text }) => text.includes(`'${name}'`)))
  // Its types, too, are a library's.
  expect(naming('ioredis')).toEqual(['src/engines/redis/wire/connection.ts'])
  expect(naming('bullmq')).toEqual(['src/schedulers/bullmq.ts'])
  expect(naming('prom-client')).toEqual(['src/admin/metrics.ts'])
  expect(naming('@hono/node-server')).toEqual(['src/admin/server.ts'])
  expect(importing('cookie')).toEqual(['src/session/cookie.ts'])
  expect(importing('cookie-signature')).toEqual(['src/session/cookie.ts'])
  expect(naming('express-session')).toEqual(['src/session/express.ts'])
  expect(naming('@swc/core')).toEqual(['src/cli/load/transpile.ts'])
  expect(importing('get-tsconfig')).toEqual(['src/cli/load/project.ts'])
  expect(importing('picomatch')).toEqual(['src/cli/load/watch.ts'])
  expect(pathsOf(code.filter(({ text }) => /\.listen\(/.test(text)))).toEqual(['gateway/server.ts'])
  const listening = /addEventListener\('abort'|AbortSignal\.any/
  expect(pathsOf(code.filter(({ text }) => listening.test(text)))).toEqual(['src/runtime/abort.ts'])
  const clocks = /\bDate\.now\b|\bperformance\.now\b|\bprocess\.hrtime\b|\bnew Date\(\)/
  expect(pathsOf(code.filter(({ text }) => clocks.test(text)))).toEqual(['src/clock.ts'])
})
