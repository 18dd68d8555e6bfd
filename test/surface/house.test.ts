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

/**
 * The parts of the system, each with the parts that it may import, types included. `engine.ts` belongs to the folder `engine`, and so on.
 *
 *     cli ─▶ gateway, workers ─▶ admin ─▶ tasks ─▶ request ─▶ space ─▶ entry, streams ─▶ engine ─▶ bottom
 *     open, engines, schedulers: implementations, which only `open`, `scheduler.ts` and the command line name
 */
const BOTTOM = ['clock', 'log', 'errors', 'runtime']
const TO_REQUEST = ['request', 'space', 'streams', 'entry', 'engine', ...BOTTOM]
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  clock: [],
  log: [],
  errors: [],
  runtime: ['clock'],
  engine: BOTTOM,
  entry: ['engine', ...BOTTOM],
  streams: ['request', 'engine', ...BOTTOM],
  space: ['streams', 'entry', 'engine', ...BOTTOM],
  request: ['streams', 'space', 'entry', 'engine', ...BOTTOM],
  tasks: TO_REQUEST,
  session: ['space', 'engine', ...BOTTOM],
  admin: ['tasks', ...TO_REQUEST],
  client: ['admin', 'tasks', ...TO_REQUEST],
  engines: ['entry', 'engine', ...BOTTOM],
  schedulers: ['engines', 'tasks', ...TO_REQUEST],
  open: ['engines', ...TO_REQUEST],
  index: ['client', 'open', 'schedulers', 'tasks', ...TO_REQUEST],
  gateway: ['admin', 'tasks', ...TO_REQUEST],
  workers: ['admin', 'tasks', ...TO_REQUEST],
  cli: ['gateway', 'workers', 'admin', 'client', 'engines', 'index', 'open', 'schedulers', 'tasks', ...TO_REQUEST],
}

function partOf(path: string): string {
  const [top, name = ''] = path.split('/')
  if (top !== 'src') return top as string
  if (path.startsWith('src/request/streams/')) return 'streams'
  const part = name.replace(/\.ts$/, '')
  return part === 'scheduler' ? 'schedulers' : part
}

/** All own files that a file imports, those included of which it needs types alone. */
function ownImportsOf({ path, text }: File): string[] {
  const statements = text.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+['"](\.[^'"]+)['"]|\bimport\(['"](\.[^'"]+)['"]\)/gm,
  )
  return [...statements]
    .map(([, fixed, dynamic]) => resolve(root, dirname(path), (fixed ?? dynamic) as string))
    .map((target) => relative(root, target).split(sep).join('/').replace(/\.js$/, '.ts'))
}

test('each part imports only the parts below it', () => {
  const wrong = code.flatMap((file) =>
    ownImportsOf(file)
      .filter((target) => partOf(target) !== partOf(file.path) && !ARROWS[partOf(file.path)]?.includes(partOf(target)))
      .map((target) => `${file.path} imports ${target}`),
  )
  expect(wrong).toEqual([])
})

test('no file imports itself by way of others, types included', () => {
  const imports = new Map(code.map((file) => [file.path, ownImportsOf(file).filter((target) => target !== file.path)]))
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path)
    if (at >= 0) circles.push([...above.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const target of imports.get(path) ?? []) visit(target, [...above, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  expect(circles).toEqual([])
})

test('only src reaches for the engine of a space', () => {
  const reaching = code.filter(({ path, text }) => !path.startsWith('src/') && /\.engine\b/.test(text))
  const inCommands = code.filter(({ path, text }) => path.startsWith('src/cli/') && /\.engine\b/.test(text))
  expect(pathsOf([...reaching, ...inCommands])).toEqual([])
})

test('no name is exported by two files', () => {
  const places = new Map<string, string[]>()
  for (const { path, text } of code.filter(({ path }) => path.endsWith('.ts'))) {
    const declared = text.matchAll(
      /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum)\s+([\w$]+)/gm,
    )
    for (const [, name] of declared) places.set(name!, [...new Set([...(places.get(name!) ?? []), path])])
  }
  expect([...places].filter(([, paths]) => paths.length > 1)).toEqual([])
})

test('one door for each: the Redis client, the port, the clock, the signals of users', () => {
  const importing = (name: string): string[] => pathsOf(code.filter((file) => importsOf(file).includes(name)))
  expect(importing('ioredis')).toEqual(['src/engines/redis/wire/connection.ts'])
  expect(importing('bullmq')).toEqual(['src/schedulers/bullmq.ts'])
  expect(importing('cron-parser')).toEqual(['src/tasks/cron.ts'])
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
