/** The house rules, measured on the files. */
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface File {
  /** From the root, with slashes. */
  readonly path: string
  readonly text: string
}

const { filesIn, importsOf, ownImportsOf, circlesOf, exportedTwice } = (await import(
  new URL('../../.ci/modules.mjs', import.meta.url).href
)) as {
  filesIn(root: string, folders: readonly string[], ending: RegExp): File[]
  importsOf(file: File): string[]
  ownImportsOf(file: File): string[]
  circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][]
  exportedTwice(files: readonly File[]): [string, string[]][]
}

const ENDING = /\.(ts|lua|mjs|js)$/
const code = filesIn(root, ['src', 'gateway', 'workers'], /\.(tsx?|lua|mjs|js)$/)
const site = filesIn(root, ['site'], ENDING).filter(({ path }) => !/^site\/(dist|\.pages|\.cache)\//.test(path))
const all = [...code, ...site, ...filesIn(root, ['.ci', 'bench', 'create-takespace', 'examples', 'test'], ENDING)]

const pathsOf = (files: readonly File[]): string[] => files.map(({ path }) => path).sort()

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
 *     cli ─▶ dashboard, gateway, workers ─▶ admin ─▶ control, tasks ─▶ request ─▶ space ─▶ entry, streams ─▶ engine ─▶ bottom
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
  control: ['request', 'space', 'entry', 'engine', 'version', ...BOTTOM],
  version: [],
  admin: ['control', 'tasks', ...TO_REQUEST],
  client: ['admin', 'tasks', ...TO_REQUEST],
  dashboard: ['control', 'tasks', ...TO_REQUEST],
  // In the browser: types alone, of what it is sent.
  page: ['dashboard', 'control', 'tasks'],
  engines: ['entry', 'engine', ...BOTTOM],
  schedulers: ['engines', 'control', 'tasks', ...TO_REQUEST],
  open: ['engines', ...TO_REQUEST],
  index: ['client', 'open', 'schedulers', 'tasks', ...TO_REQUEST],
  gateway: ['admin', 'control', 'tasks', ...TO_REQUEST],
  workers: ['admin', 'control', 'tasks', ...TO_REQUEST],
  cli: [
    'gateway',
    'workers',
    'admin',
    'client',
    'control',
    'dashboard',
    'engines',
    'index',
    'open',
    'schedulers',
    'tasks',
    ...TO_REQUEST,
  ],
}

function partOf(path: string): string {
  const [top, name = ''] = path.split('/')
  if (top !== 'src') return top as string
  if (path.startsWith('src/request/streams/')) return 'streams'
  if (path.startsWith('src/dashboard/page/')) return 'page'
  const part = name.replace(/\.ts$/, '')
  return part === 'scheduler' ? 'schedulers' : part
}

test('the build may move modules: three files alone, which it leaves in place, have addresses relative to themselves', () => {
  const relative = code.filter(({ text }) => /new URL\([^)]*, import\.meta\.url\)|import\.meta\.dirname/.test(text))
  const inCode = relative.filter(({ path }) => path !== 'src/cli/load/transpile.ts')
  expect(pathsOf(inCode)).toEqual(['src/cli/main.ts', 'src/cli/places.ts', 'src/dashboard/places.ts'])
})

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
  expect(circlesOf(imports).map((circle) => circle.join(' → '))).toEqual([])
})

test('only src reaches for the engine of a space', () => {
  const reaching = code.filter(({ path, text }) => !path.startsWith('src/') && /\.engine\b/.test(text))
  const inCommands = code.filter(({ path, text }) => path.startsWith('src/cli/') && /\.engine\b/.test(text))
  expect(pathsOf([...reaching, ...inCommands])).toEqual([])
})

test('no name is exported by two files', () => {
  expect(exportedTwice(code.filter(({ path }) => path.endsWith('.ts')))).toEqual([])
})

test('one door for each: the Redis client, the port, the clock, the signals of users', () => {
  const importing = (name: string): string[] => pathsOf(code.filter((file) => importsOf(file).includes(name)))
  expect(importing('ioredis')).toEqual(['src/engines/redis/wire/client.ts'])
  expect(importing('bullmq')).toEqual(['src/schedulers/bullmq.ts'])
  expect(importing('cron-parser')).toEqual(['src/tasks/cron.ts'])
  const naming = (name: string): string[] => pathsOf(code.filter(({ text }) => text.includes(`'${name}'`)))
  expect(naming('@opentelemetry/api')).toEqual(['src/admin/spans.ts'])
  // Its types, too, are a library's.
  expect(naming('ioredis')).toEqual(['src/engines/redis/wire/client.ts'])
  expect(naming('bullmq')).toEqual(['src/schedulers/bullmq.ts'])
  expect(naming('prom-client')).toEqual(['src/admin/metrics.ts'])
  expect(naming('@hono/node-server')).toEqual(['src/admin/listen.ts'])
  expect(naming('preact')).toEqual(['src/dashboard/page/preact.ts'])
  expect(naming('@preact/signals')).toEqual(['src/dashboard/page/preact.ts'])
  expect(naming('uplot')).toEqual(['src/dashboard/page/plot.ts'])
  expect(importing('cookie')).toEqual(['src/session/cookie.ts'])
  expect(importing('cookie-signature')).toEqual(['src/session/cookie.ts'])
  expect(naming('express-session')).toEqual(['src/session/express.ts'])
  expect(naming('@swc/core')).toEqual(['src/cli/load/transpile.ts'])
  expect(importing('get-tsconfig')).toEqual(['src/cli/load/project.ts'])
  expect(naming('proxy-addr')).toEqual(['gateway/trust.ts'])
  expect(importing('forwarded-parse')).toEqual(['gateway/proxies.ts'])
  expect(importing('picomatch')).toEqual(['src/cli/load/watch.ts'])
  expect(pathsOf(code.filter(({ text }) => /\b[sS]erver\.listen\(/.test(text)))).toEqual([
    'gateway/server.ts',
    'src/request/streams/direct/door.ts',
  ])
  const listening = /addEventListener\('abort'|AbortSignal\.any/
  expect(pathsOf(code.filter(({ text }) => listening.test(text)))).toEqual(['src/runtime/abort.ts'])
  const clocks = /\bDate\.now\b|\bperformance\.now\b|\bprocess\.hrtime\b|\bnew Date\(\)/
  expect(pathsOf(code.filter(({ text }) => clocks.test(text)))).toEqual(['src/clock.ts', 'src/dashboard/page/clock.ts'])
})
