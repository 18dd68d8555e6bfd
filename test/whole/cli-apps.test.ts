/** `takespace worker` with apps as they are: they listen, come from a promise or a createApp(), close what they have open, and hear signals last. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { isLong } from '../faults/form.js'
import { end } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { folder, write } = scratch('apps', ['express', 'fastify', 'koa'])
let redis: Redis
let space: Space | undefined
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())
afterEach(() => space?.close())

/** A gateway here, and worker processes of the command line. */
async function serve(app: string, name: string, flags: string[] = []): Promise<[string, Process]> {
  space = await openSpace(redis.url, { name })
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  const worker = startProcess(['takespace', 'worker', app, '--name', name, ...flags], {
    env: { TAKESPACE_URL: redis.url },
  })
  return [gateway.url, worker]
}

const ready = (processes: number): RegExp => new RegExp(`(?:worker process is ready[\\s\\S]*?){${processes}}`)

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })

const LISTENING: [string, string, (port: number) => string][] = [
  [
    'an Express app in CommonJS',
    'cjs',
    (port) =>
      `const app = require('express')()\napp.get('/', (_req, res) => res.send('ok'))\napp.listen(${port}, () => console.log('listens'))`,
  ],
  [
    'an Express app that is exported, and listens later',
    'mjs',
    (port) =>
      `import express from 'express'\nexport const app = express()\napp.get('/', (_req, res) => res.send('ok'))\nsetTimeout(() => app.listen(${port}), 300)`,
  ],
]

test.each(LISTENING)(
  'a file that listens is served by two processes and opens no port: %s',
  async (what, ending, source) => {
    const port = await freePort()
    const app = write(`${what.replaceAll(/\W/g, '')}/app.${ending}`, source(port))
    const [url, worker] = await serve(app, what, ['--processes', '2'])
    await worker.line(ready(2))
    await worker.line(new RegExp(`(?:listen\\(\\) on port ${port} opens no port[\\s\\S]*?){2}`))
    expect(await (await fetch(url)).text()).toBe('ok')
    expect(await isOpen(port)).toBe(false)
    await end(worker)
  },
)

test('--listen keep leaves listen() alone: the app that is exported is served, and its port is open', async () => {
  const port = await freePort()
  const app = write(
    'keep/app.mjs',
    `import { createServer } from 'node:http'\nconst app = (_req, res) => res.end('ok')\ncreateServer(app).listen(${port}, '127.0.0.1')\nexport default app`,
  )
  const [url, worker] = await serve(app, 'keep', ['--listen', 'keep'])
  await worker.line(ready(1))
  expect(await (await fetch(url)).text()).toBe('ok')
  expect(await isOpen(port)).toBe(true)
  await end(worker)
})

test('a server that is not HTTP, and a second one that is, open their ports', async () => {
  const [tcp, metrics] = [await freePort(), await freePort()]
  const app = write(
    'more/app.mjs',
    `import http from 'node:http'
    import net from 'node:net'
    net.createServer().listen(${tcp}, '127.0.0.1')
    http.createServer((_req, res) => res.end('ok')).listen(3000)
    http.createServer((_req, res) => res.end('metrics')).listen(${metrics}, '127.0.0.1')`,
  )
  const [url, worker] = await serve(app, 'more')
  await worker.line(ready(1))
  expect(await (await fetch(url)).text()).toBe('ok')
  expect(await isOpen(tcp)).toBe(true)
  expect(await (await fetch(`http://127.0.0.1:${metrics}`, { headers: { connection: 'close' } })).text()).toBe(
    'metrics',
  )
  await end(worker)
})

const REFUSED: [string, string, RegExp][] = [
  [
    'a default export that is a factory',
    "import express from 'express'\nexport default async function createApp() { return express() }",
    /without parameters.*export async function createApp\(\)/,
  ],
  [
    'a file that neither exports nor listens',
    'await new Promise((go) => setTimeout(go, 100))',
    /exports no app.*Add the line/,
  ],
  ['a promise that rejects', "export default Promise.reject(new Error('no database'))", /no database/],
  [
    'an error that says nothing but by its causes',
    "throw new AggregateError([new Error('connect ECONNREFUSED ::1', { cause: { code: 'EWHY' } })], '')",
    /failed while it was loaded: .*connect ECONNREFUSED ::1 \(EWHY\)/,
  ],
  ['a thrown object', "throw { reason: 'no luck' }", /failed while it was loaded: \{ reason: 'no luck' \}/],
  ['a module that does not parse', '\nconst app = ;', /failed while it was loaded: .*\n {4}at .*app\.mjs:2/],
  [
    'a file that listens for other protocols only',
    "import { createServer } from 'node:http2'\ncreateServer().listen(0)",
    /exports no app/,
  ],
  [
    'a createApp that throws',
    "export const createApp = () => { throw new Error('no luck') }",
    /no luck\n {4}at createApp .*app\.mjs:1:/,
  ],
]

test.each(REFUSED)('is refused at the start with what to do: %s', async (what, source, says) => {
  const command = what.includes('factory') ? 'worker' : 'dev'
  const app = write(`${what.replaceAll(/\W/g, '')}/app.mjs`, source)
  const worker = startProcess(['takespace', command, app], { env: { TAKESPACE_URL: redis.url, LOG_LEVEL: 'silent' } })
  expect(await worker.exited).toEqual({ code: 1, signal: null })
  expect(worker.output()).toMatch(says)
})

/** Closes its database on SIGTERM, as shutdown hooks do; its requests need it. */
const HOOKED = `
import { appendFileSync } from 'node:fs'
const note = (word) => appendFileSync(new URL('./notes', import.meta.url), word + ' ')
let open = true
process.once('SIGTERM', () => { open = false; note('hook'); process.kill(process.pid, 'SIGTERM') })
setInterval(() => {}, 1_000)
export const close = async () => note('close')
export default (_req, res) => {
  note('asked')
  setTimeout(() => { note('answered'); res.end(open ? 'stored' : 'the database is closed') }, 500)
}`

/** The short form leaves out what the second does, too. */
const SIGNALLED = ['the supervisor', 'the whole process group', 'the worker process']

test.each(isLong ? SIGNALLED : SIGNALLED.slice(1))(
  "the app's own end comes after its last answer: SIGTERM to %s",
  async (whom) => {
    const app = write(`hooked${whom.length}/app.mjs`, HOOKED)
    const [url, worker] = await serve(app, `hooked ${whom}`)
    const [, pid] = await worker.line(/"workerPid":(\d+)[^\n]*worker process is ready/)
    const answer = fetch(url, { method: 'POST' })
    const noted = join(dirname(app), 'notes')
    await until(() => readFileSync(noted, { encoding: 'utf8', flag: 'a+' }).includes('asked'), 'it is asked')
    if (whom === 'the supervisor') worker.kill('SIGTERM')
    else process.kill(whom === 'the worker process' ? Number(pid) : -worker.pid, 'SIGTERM')
    expect(await (await answer).text()).toBe('stored')
    await until(() => readFileSync(noted, 'utf8') === 'asked answered close hook ', 'it has ended in order')
    if (whom === 'the worker process') await end(worker)
    else expect(await worker.exited).toEqual({ code: 0, signal: null })
  },
)

const isGone = (pid: number): boolean => {
  try {
    return !process.kill(pid, 0)
  } catch {
    return true
  }
}

test('npx ends without passing a signal on: its worker drains all the same', async () => {
  const app = write('npx/app.mjs', "export default (_req, res) => res.end('ok')")
  mkdirSync(join(folder, 'node_modules/.bin'))
  symlinkSync(join(root, 'dist/src/cli/main.js'), join(folder, 'node_modules/.bin/takespace'))
  writeFileSync(join(folder, 'package.json'), '{"name":"user","private":true}')
  const npx = startProcess(['npx', '--no-install', 'takespace', 'worker', app, '--name', 'npx'], {
    env: { TAKESPACE_URL: redis.url, npm_config_update_notifier: 'false' },
    cwd: folder,
  })
  await npx.line(ready(1))
  npx.kill('SIGTERM')
  // npx is gone at once; what it started writes on.
  await until(() => npx.output().includes('"msg":"stopped"'), 'the worker has drained')
  await until(() => isGone(-npx.pid), 'its processes have ended')
})

failOnLeaks()
