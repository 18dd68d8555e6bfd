/** The command line without a Redis: `takespace dev`, and everything that may be wrong at the start. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { isLong } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { startProcess } from '../support/process.js'
import { until } from '../support/until.js'

const folder = mkdtempSync(join(tmpdir(), 'takespace-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Looks with a bare connection: a request that came in just before the port closed would wait for its answer. */
const isClosed = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => resolve(true))
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })

const HELLO = "(req, res) => res.end('hello ' + req.url)"

describe('takespace dev', () => {
  const FILES = [
    ['{ fetch }', 'fetch.mjs', "export default { fetch: (r) => new Response('hello ' + new URL(r.url).pathname) }"],
    ['module.exports', 'whole.cjs', `module.exports = ${HELLO}`],
    ['a default export', 'default.mjs', `export default ${HELLO}`],
    ['an export named app', 'named.mjs', `export const app = ${HELLO}`],
    ['exports.app', 'app.cjs', `exports.app = ${HELLO}`],
    ['exports.default, compiled from ESM', 'esm.cjs', `exports.__esModule = true; exports.default = ${HELLO}`],
  ] as const
  // The short form has one of each module system; loading.test.ts has all.
  test.each(isLong ? FILES : FILES.slice(0, 2))(
    'serves an app file with %s, and ends on SIGTERM',
    async (_what, name, text) => {
      const dev = startProcess(['takespace', 'dev', file(name, text), '--port', '0'])
      const [, url] = await dev.line(/Open\s+(http:\S+)/)
      expect(await (await fetch(`${url}there`)).text()).toBe('hello /there')
      dev.kill('SIGTERM')
      expect(await dev.exited).toEqual({ code: 0, signal: null })
    },
  )

  test('says what to open and what to try next', async () => {
    const app = file('hello.mjs', `export default ${HELLO}`)
    const dev = startProcess(['takespace', 'dev', app, '--port', '0'])
    const [, url] = await dev.line(/Open\s+(http:\S+)\//)
    await dev.line(/Stop\s+Ctrl-C/)
    expect(dev.output()).toContain(`curl -i ${url}/`)
    dev.kill('SIGINT')
    await dev.exited
  })

  test('logs a request as one line of JSON, with the id that the client was told', async () => {
    const dev = startProcess(['takespace', 'dev', file('log.mjs', `export default ${HELLO}`), '--port', '0'])
    const [, url] = await dev.line(/Open\s+(http:\S+)/)
    const response = await fetch(`${url}x?token=s3cret`, { headers: { cookie: 's3cret', authorization: 's3cret' } })
    const [line] = await dev.line(/^.*"msg":"request".*$/m)
    expect(JSON.parse(line)).toMatchObject({
      id: response.headers.get('x-request-id'),
      method: 'GET',
      path: '/x',
      status: 200,
    })
    expect(dev.output()).not.toContain('s3cret')
    dev.kill()
    await dev.exited
  })

  test('drains on the first signal and ends at once on the second', async () => {
    const app = file('slow.mjs', "export default (_req) => { console.log('taken') }")
    const dev = startProcess(['takespace', 'dev', app, '--port', '0'])
    const [, url] = await dev.line(/Open\s+(http:\S+)/)
    const pending = fetch(url as string).catch(() => 'cut')
    await dev.line(/taken/)
    dev.kill('SIGTERM')
    // The port closes when the first signal has been heard; the request is still under way.
    await until(() => isClosed(url as string), 'the port is closed')
    dev.kill('SIGTERM')
    expect(await dev.exited).toEqual({ code: 1, signal: null })
    expect(await pending).toBe('cut')
  })

  test('finds its port in the environment, and a flag wins over it', async () => {
    const app = file('port.mjs', `export default ${HELLO}`)
    const port = await freePort()
    const dev = startProcess(['takespace', 'dev', app], { env: { PORT: String(port) } })
    await dev.line(new RegExp(`Open\\s+http://127.0.0.1:${port}/`))
    dev.kill()
    await dev.exited
    const other = startProcess(['takespace', 'dev', app, '--port', '0'], { env: { PORT: String(port) } })
    const [, used] = await other.line(/Open\s+http:\/\/127.0.0.1:(\d+)/)
    expect(used).not.toBe(String(port))
    other.kill()
    await other.exited
  })
})

describe('a wrong start is told in one line', () => {
  const app = file('fine.mjs', `export default ${HELLO}`)
  const nobody = 'redis://me:s3cret@127.0.0.1:1'
  const EXPORTS_NONE = file('none.mjs', 'export const other = 1')
  const EMPTY = file('empty.cjs', '')
  const NO_APP = file('odd.mjs', 'export default 42')
  const BROKEN = file('broken.mjs', 'syntax error')

  test.each<{
    what: string
    code: number
    args: string[]
    says: RegExp
    env?: Record<string, string>
    where?: RegExp[]
  }>([
    { what: 'an unknown command', code: 2, args: ['devv'], says: /Did you mean dev/ },
    { what: 'an unknown option', code: 2, args: ['dev', app, '--prt', '1'], says: /--prt.*Did you mean --port/ },
    { what: 'no app file', code: 2, args: ['dev'], says: /missing required argument 'app'/ },
    {
      what: 'an app file that is missing',
      code: 1,
      args: ['dev', 'nowhere.mjs'],
      says: /cannot be loaded. There is no .*nowhere\.mjs/,
    },
    { what: 'too many arguments', code: 2, args: ['dev', app, app], says: /too many arguments/ },
    { what: 'a port that is none', code: 2, args: ['gateway', '--port', 'x'], says: /--port.*integer from 0 to 65535/ },
    {
      what: 'a port in the environment that is none',
      code: 2,
      args: ['gateway'],
      says: /PORT.*integer from 0 to 65535/,
      env: { PORT: '99999' },
    },
    { what: 'no processes', code: 2, args: ['worker', app, '--processes', '0'], says: /--processes.*integer from 1/ },
    {
      what: 'a gateway alone in memory',
      code: 2,
      args: ['gateway', '--url', 'memory:'],
      says: /one process.*takespace dev/,
    },
    {
      what: 'a worker alone in memory',
      code: 2,
      args: ['worker', app],
      says: /one process.*takespace dev/,
      env: { TAKESPACE_URL: 'memory:' },
    },
    { what: 'an app file that is not there', code: 1, args: ['dev', './nope.js'], says: /There is no .*nope\.js/ },
    {
      what: 'an app file that is a folder',
      code: 1,
      args: ['dev', 'src'],
      says: /src is a folder: name the app file in it/,
    },
    {
      what: 'an app file that is not there, for a worker',
      code: 1,
      args: ['worker', './nope.js'],
      says: /There is no .*nope\.js/,
    },
    {
      what: 'an app file that exports no app',
      code: 1,
      args: ['dev', EXPORTS_NONE],
      says: /Add the line: export default app/,
    },
    { what: 'an empty CommonJS app file', code: 1, args: ['dev', EMPTY], says: /module\.exports = app/ },
    {
      what: 'an app file whose export is no app',
      code: 1,
      args: ['dev', NO_APP],
      says: /not an app takespace can run/,
    },
    {
      what: 'an app file that fails',
      code: 1,
      args: ['dev', BROKEN],
      says: /broken\.mjs failed while it was loaded.*Unexpected/,
      where: [/^ {4}at .*broken\.mjs:1$/],
    },
    { what: 'no Redis', code: 1, args: ['gateway', '--url', nobody], says: /cannot be reached.*takespace dev/ },
    {
      what: 'no Redis for a worker',
      code: 1,
      args: ['worker', app],
      says: /cannot be reached.*--url/,
      env: { REDIS_URL: nobody },
    },
    { what: 'an address of no kind', code: 1, args: ['gateway', '--url', 'http://a'], says: /redis:\/\/host:6379/ },
    {
      what: 'a log level of no kind',
      code: 2,
      args: ['dev', app],
      says: /LOG_LEVEL.*one of trace, debug/,
      env: { LOG_LEVEL: 'loud' },
    },
  ])('$what: exit code $code', async ({ code, args, says, env = {}, where = [] }) => {
    const process = startProcess(['takespace', ...args], { env })
    expect(await process.exited).toEqual({ code, signal: null })
    const errors = process.output().trim().split('\n')
    expect(errors.slice(1)).toEqual(where.map((line) => expect.stringMatching(line)))
    expect(errors[0]).toMatch(says)
    expect(errors[0]).toMatch(/^takespace: /)
    expect(process.output()).not.toContain('s3cret')
  })

  test('a port that is taken: exit code 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const dev = startProcess(['takespace', 'dev', app, '--port', String(port)], { env: { LOG_LEVEL: 'silent' } })
    expect((await dev.exited).code).toBe(1)
    expect(dev.output().trim()).toMatch(
      new RegExp(`^takespace: Another process listens on this port.*127\\.0\\.0\\.1:${port}\\.? .*$`),
    )
    other.close()
  })
})

test('--help and --version are answers, not errors', async () => {
  for (const flag of ['--help', '--version']) {
    const process = startProcess(['takespace', flag])
    expect(await process.exited).toEqual({ code: 0, signal: null })
    expect(process.output()).not.toContain('worker-process')
  }
})

failOnLeaks()
