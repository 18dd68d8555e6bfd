/** `takespace dev`: what it follows and what not, the settings of gateway and worker, apps of all kinds, and their end. */
import { appendFileSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { WebSocket } from 'ws'
import { end, startDev } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import type { Process } from '../support/process.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { folder, write } = scratch('dev', ['express', 'express4', 'fastify', 'vite', 'ws'])

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()
const reloads = (dev: Process): number => dev.output().match(/reloaded in/g)?.length ?? 0

test('an app that writes a log, a database and uploads beside itself is never reloaded; what it imports reloads it', async () => {
  const app = write(
    'writes/app.mjs',
    `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
    import { version } from './lib/version.mjs'
    import { createRequire } from 'node:module'
    let count = 0
    const here = (name) => new URL(name, import.meta.url)
    for (const folder of ['./uploads', './.built']) mkdirSync(here(folder), { recursive: true })
    // As Next.js loads what it compiles.
    writeFileSync(here('./.built/page.cjs'), '')
    createRequire(import.meta.url)('./.built/page.cjs')
    export default (req, res) => {
      if (req.url === '/') return res.end(version + ' ' + count)
      count++
      for (const name of ['app.log', 'app.sqlite', 'data.json']) appendFileSync(here('./' + name), 'x')
      writeFileSync(here('./uploads/0123456789abcdef' + count), 'x')
      writeFileSync(here('./uploads/page' + count + '.js'), 'x')
      writeFileSync(here('./.built/page.cjs'), 'exports.n = ' + count)
      res.end()
    }`,
  )
  const lib = write('writes/lib/version.mjs', "export const version = 'one'")
  const [dev, url] = await startDev(app)
  for (let i = 0; i < 20; i++) await textOf(`${url}/write`)
  expect(await textOf(url)).toBe('one 20')
  writeFileSync(lib, "export const version = 'two'")
  await until(async () => (await textOf(url)) === 'two 0', 'the import is loaded anew')
  // Whatever the writes had set off would have come before this.
  expect(reloads(dev)).toBe(1)
  await end(dev)
})

test('--watch follows more, --ignore less, --no-reload nothing', async () => {
  const app = write(
    'told/app.mjs',
    "import { readFileSync } from 'node:fs'\nimport './other.mjs'\nconst page = readFileSync(new URL('./views/page.html', import.meta.url), 'utf8')\nexport default (_req, res) => res.end(page)",
  )
  const other = write('told/other.mjs', '')
  const page = write('told/views/page.html', 'one')
  const [dev, url] = await startDev(app, [
    '--watch',
    `./${relative('', join(folder, 'told/views'))}/*.{html,txt},${join(folder, 'told/none')}`,
    '--ignore',
    join(folder, 'told', 'oth*.mjs'),
  ])
  appendFileSync(other, ' ')
  writeFileSync(page, 'two')
  await until(async () => (await textOf(url)) === 'two', 'the page is read anew')
  expect(reloads(dev)).toBe(1)
  await end(dev)

  const [still, address] = await startDev(app, [], { TAKESPACE_NO_RELOAD: 'true' })
  appendFileSync(other, ' ')
  appendFileSync(app, ' ')
  for (let i = 0; i < 20; i++) await textOf(address)
  expect(reloads(still)).toBe(0)
  await end(still)
})

test('a file in a new folder that fails is followed as well: mended, it is loaded', async () => {
  for (const [ending, line] of [
    ['mjs', "import './new/part.mjs'"],
    ['cjs', "require('./new/part.cjs')"],
  ]) {
    const app = write(
      `grows/app.${ending}`,
      ending === 'mjs'
        ? "export default (_req, res) => res.end('old')"
        : "module.exports = (_req, res) => res.end('old')",
    )
    const [dev, url] = await startDev(app)
    expect(await textOf(url)).toBe('old')
    const part = write(`grows/new/part.${ending}`, 'syntax error')
    writeFileSync(app, `${line}\n${readFileSync(app, 'utf8').replace('old', 'new')}`)
    await dev.line(/was not reloaded/)
    writeFileSync(part, '')
    await until(async () => (await textOf(url)) === 'new', 'it is loaded')
    await end(dev)
    rmSync(join(folder, 'grows'), { recursive: true })
  }
})

test('what an app imports is followed in folders that come later or come again; the app itself, where its link points', async () => {
  const imports = (path: string): string =>
    `import { text } from '${path}'\nexport default (_req, res) => res.end(text)`
  const text = (said: string): string => `export const text = '${said}'`
  const real = write('comes/first.mjs', "export default (_req, res) => res.end('first')")
  const app = join(folder, 'comes/app.mjs')
  symlinkSync(real, app)
  const [dev, url] = await startDev(app)
  const says = (said: string): Promise<unknown> => until(async () => (await textOf(url)) === said, `it says ${said}`)
  await says('first')
  writeFileSync(real, imports('./new/deep/part.mjs'))
  await dev.line(/was not reloaded/)
  write('comes/new/deep/part.mjs', text('come'))
  await says('come')
  rmSync(join(folder, 'comes/new'), { recursive: true })
  write('comes/new/deep/part.mjs', text('come again'))
  await says('come again')
  write('comes/new/deep/part.mjs', text('changed'))
  await says('changed')
  const other = write('comes/elsewhere/second.mjs', imports('./missing.mjs'))
  unlinkSync(app)
  symlinkSync(other, app)
  await dev.line(/was not reloaded[^\n]*missing\.mjs/)
  write('comes/elsewhere/missing.mjs', text('linked'))
  await says('linked')
  await end(dev)
})

test('the settings of gateway and worker apply, from flags, environment and config file', async () => {
  const app = write(
    'limits/app.mjs',
    'export default (req, res) => { let n = 0; req.on("data", (c) => (n += c.length)).on("end", () => res.end(String(n))) }',
  )
  const config = write('limits/config.json', '{ "maxBodyBytes": 3000000, "reload": false }')
  const ways: [string[], Record<string, string>][] = [
    [['--max-body-bytes', '3000000', '--host', '127.0.0.1', '--timeout-ms', '9000', '--service', 'api'], {}],
    [[], { TAKESPACE_MAX_BODY_BYTES: '3000000' }],
    [['--config', config], {}],
  ]
  for (const [flags, env] of ways) {
    const [dev, url] = await startDev(app, flags, env)
    const response = await fetch(url, { method: 'POST', body: Buffer.alloc(2_000_000) })
    expect([response.status, await response.text()]).toEqual([200, '2000000'])
    await end(dev)
  }
})

test('an Express 4 app, whose getters throw, is served and its routes are listed', async () => {
  const app = write(
    'four/app.cjs',
    "const app = require('express4')()\napp.get('/pets/:id', (_req, res) => res.send('four'))\nmodule.exports = app",
  )
  const [dev, url] = await startDev(app)
  expect(dev.output()).toContain(`curl -i ${url}/pets/1`)
  expect(await textOf(`${url}/pets/1`)).toBe('four')
  await end(dev)
})

test('tasks: says which there are and how to call them; the app finds the space under TAKESPACE_URL, and later tasks are done', async () => {
  const app = write(
    'tasks/app.mjs',
    `import { createClient, openSpace } from '${join(root, 'dist/src/index.js')}'
    const space = await openSpace(process.env.TAKESPACE_URL)
    export const tasks = {
      greet: (name, { attempt }) => {
        if (attempt < 2) throw new Error('not yet')
        return 'hello ' + name
      },
    }
    export default async (req, res) => {
      const ticket = await createClient({ space }).enqueue('greet', 'you', { delayMs: 50, attempts: 2 })
      res.end(await ticket.result({ waitMs: 30_000 }))
    }
    export const close = () => space.close()`,
  )
  const [dev, url] = await startDev(app)
  await dev.line(/Tasks\s+greet\n\s+Call .*\n.*call\('greet', input\)/)
  expect(await textOf(url)).toBe('hello you')
  await end(dev)
})

const NOTES = (name: string): string => `
  import { appendFileSync } from 'node:fs'
  const note = (word) => appendFileSync(new URL('./notes', import.meta.url), word + ' ')
  ${name}`

/** Apps that take a while to answer and have something to close, and what they note of it. */
const CLOSING: [string, string, string][] = [
  [
    'Fastify',
    `import Fastify from 'fastify'
    const app = Fastify()
    app.get('/', async () => { note('asked'); await new Promise((go) => setTimeout(go, 300)); note('answered'); return 'ok' })
    app.addHook('onClose', async () => note('closed'))
    export default app`,
    'asked answered closed ',
  ],
  [
    'a close of its own, and a listener to SIGTERM',
    `export default (_req, res) => { note('asked'); setTimeout(() => { note('answered'); res.end('ok') }, 300) }
    export const close = async () => note('closed')
    process.once('SIGTERM', (signal, number) => { note(signal + number); setTimeout(() => process.exit(0), 50) })
    setInterval(() => {}, 1_000)`,
    'asked answered closed SIGTERM15 ',
  ],
  [
    'an http.Server that does not listen',
    `import { createServer } from 'node:http'
    export default createServer((_req, res) => { note('asked'); setTimeout(() => { note('answered'); res.end('ok') }, 300) })`,
    'asked answered ',
  ],
  [
    'an http.Server that listens, and closes on SIGTERM',
    `import { createServer } from 'node:http'
    const probe = createServer().listen(1)
    await new Promise((closed) => probe.close(closed))
    const server = createServer((_req, res) => { note('asked'); setTimeout(() => { note('answered'); res.end('ok') }, 300) })
    server.on('close', () => note('closed'))
    server.listen(1, '127.0.0.1', () => note('listening:' + server.address().port))
    process.on('SIGTERM', () => server.close((error) => { note(error ? 'failed' : 'ended'); process.exit(error ? 1 : 0) }))`,
    'listening:1 asked answered closed ended ',
  ],
]

test.each(CLOSING)('what the app has open is closed after its last answer, once: %s', async (what, source, notes) => {
  const app = write(`${what.replaceAll(/\W/g, '')}/app.mjs`, NOTES(source))
  const [dev, url] = await startDev(app)
  const answer = textOf(url)
  const noted = join(dirname(app), 'notes')
  await until(() => readFileSync(noted, { encoding: 'utf8', flag: 'a+' }).includes('asked'), 'it is asked')
  await end(dev)
  expect(await answer).toBe('ok')
  expect(readFileSync(noted, 'utf8')).toBe(notes)
  expect(dev.output()).not.toContain('close failed')
})

test('a reload under Vite as a middleware: its sockets are served before and after', async () => {
  const app = write(
    'vite/app.mjs',
    `import express from 'express'
    import { createServer } from 'vite'
    const port = Number(process.env.HMR_PORT)
    const vite = await createServer({ root: import.meta.dirname, configFile: false, logLevel: 'error', server: { middlewareMode: true, hmr: { port }, ws: undefined } })
    const app = express()
    app.get('/', (_req, res) => res.send('one ' + vite.config.webSocketToken))
    app.use(vite.middlewares)
    app.listen(3000)
    export const close = () => vite.close()`,
  )
  write('vite/package.json', '{"type":"module"}')
  const port = await freePort()
  const [dev, url] = await startDev(app, [], { HMR_PORT: String(port) })
  const connects = (token: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/?token=${token}`, 'vite-hmr')
      socket.on('error', () => resolve(false))
      socket.on('open', () => {
        socket.close()
        resolve(true)
      })
    })
  const tokenOf = async (): Promise<string[]> => (await textOf(url)).split(' ')
  expect(await connects((await tokenOf())[1]!)).toBe(true)
  writeFileSync(app, readFileSync(app, 'utf8').replace('one', 'two'))
  await until(async () => (await tokenOf())[0] === 'two', 'it is reloaded')
  await until(async () => connects((await tokenOf())[1]!), 'the socket of the new one is served')
  await end(dev)
})

failOnLeaks()
