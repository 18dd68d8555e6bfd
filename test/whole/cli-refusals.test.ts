/** Starts that the server, the settings or the config file make impossible: one line each that says what to do. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'

const folder = mkdtempSync(join(tmpdir(), 'takespace-refusals-'))
const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Says of itself that it is Redis 6.2, and OK to everything else. */
function startOldRedis(): Server {
  const info = 'redis_version:6.2.14\r\nrole:master\r\n'
  return createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const [, command] of chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        if (command?.toUpperCase() === 'INFO') socket.write(`$${info.length}\r\n${info}\r\n`)
        else
          socket.write(
            command?.toUpperCase() === 'HELLO'
              ? '-ERR unknown command `hello`, with args beginning with: `3`, \r\n'
              : '+OK\r\n',
          )
      }
    })
  })
}

let plain: Redis
let guarded: Redis
let evicting: Redis
let old: Server
const url: Record<string, string> = {}

beforeAll(async () => {
  plain = await startRedis()
  guarded = await startRedis({ args: ['--requirepass', 'right'] })
  evicting = await startRedis({ args: ['--maxmemory', '20mb', '--maxmemory-policy', 'allkeys-lru'] })
  old = startOldRedis().listen(0, '127.0.0.1')
  await once(old, 'listening')
  url.plain = plain.url
  url.wrongPassword = `redis://:s3cret@127.0.0.1:${guarded.port}`
  url.noPassword = guarded.url
  url.evicting = evicting.url
  url.old = `redis://127.0.0.1:${(old.address() as AddressInfo).port}`
})
afterAll(async () => {
  old.close()
  await Promise.all([plain.stop(), guarded.stop(), evicting.stop()])
  rmSync(folder, { recursive: true, force: true })
})

const app = file('fine.mjs', "export default (req, res) => res.end('fine')")
const THROWS = file('throws.ts', "throw new Error('the database is not there')")
const WRONG_TS = file('wrong.ts', 'export default {{{')
const BROKEN_JSON = file('broken.json', '{ "port": ')
const BROKEN_TS = file('broken.config.ts', 'export default {')
const UNKNOWN = file('unknown.json', '{ "prot": 1 }')
const BAD_NUMBER = file('number.json', '{ "concurrency": "many" }')
const BAD_SHAPE = file('shape.json', '{ "port": { "of": 1 } }')
const NO_OBJECT = file('text.mjs', "export default 'port'")

interface Wrong {
  readonly what: string
  readonly code: number
  readonly args: string[]
  /** Which of the servers above. */
  readonly server?: string
  readonly env?: Record<string, string>
  readonly says: RegExp
  /** Lines below the first. Default 0. */
  readonly lines?: number
}

test.each<Wrong>([
  { what: 'an old Redis', code: 1, args: ['gateway'], server: 'old', says: /needs Redis 7.*Upgrade.*6\.2\.14/ },
  { what: 'an old Redis, worker', code: 1, args: ['worker', app], server: 'old', says: /needs Redis 7.*Upgrade/ },
  { what: 'a wrong password', code: 1, args: ['gateway'], server: 'wrongPassword', says: /Check user, password/ },
  { what: 'no password', code: 1, args: ['worker', app], server: 'noPassword', says: /Check user, password/ },
  {
    what: 'an evicting server',
    code: 1,
    args: ['gateway'],
    server: 'evicting',
    says: /Set .* noeviction.*allkeys-lru/,
  },
  {
    what: 'AOF off under --durability local',
    code: 1,
    args: ['gateway', '--durability', 'local'],
    server: 'plain',
    says: /does not give the durability.*local/,
  },
  {
    what: 'AOF off under TAKESPACE_DURABILITY=fsync',
    code: 1,
    args: ['worker', app],
    server: 'plain',
    env: { TAKESPACE_DURABILITY: 'fsync' },
    says: /does not give the durability.*fsync/,
  },
  {
    what: 'a durability of no kind',
    code: 2,
    args: ['gateway', '--durability', 'disk'],
    says: /--durability.*memory, local, fsync, or replicated:n/,
  },
  {
    what: 'a bound of nothing',
    code: 2,
    args: ['gateway', '--max-entries', '0'],
    says: /--max-entries.*integer from 1/,
  },
  {
    what: 'a bound of no number',
    code: 2,
    args: ['gateway', '--max-bytes', '1mb'],
    says: /--max-bytes.*integer from 1/,
  },
  { what: 'a service without a name', code: 2, args: ['worker', app, '--service', ''], says: /--service.*1 to 100/ },
  {
    what: 'a TypeScript app that throws',
    code: 1,
    args: ['dev', THROWS],
    says: /failed.*the database is not there/,
    lines: 1,
  },
  {
    what: 'a TypeScript app that is none',
    code: 1,
    args: ['dev', WRONG_TS],
    says: /wrong\.ts failed while/,
    lines: 1,
  },
  {
    what: 'an unknown variable',
    code: 2,
    args: ['dev', app],
    env: { TAKESPACE_CONCURENCY: '3' },
    says: /TAKESPACE_CONCURENCY.*Did you mean TAKESPACE_CONCURRENCY/,
  },
  {
    what: 'a variable with a prefix that it does not have',
    code: 2,
    args: ['gateway'],
    env: { TAKESPACE_PORT: '3000' },
    says: /TAKESPACE_PORT.*Did you mean PORT\?/,
  },
  {
    what: 'a bad number in the environment',
    code: 2,
    args: ['worker', app],
    env: { TAKESPACE_PROCESSES: 'all' },
    says: /TAKESPACE_PROCESSES.*integer from 1 to 1000/,
  },
  { what: 'no such config file', code: 2, args: ['dev', app, '--config', 'nope.json'], says: /no config file .*nope/ },
  {
    what: 'broken JSON',
    code: 2,
    args: ['dev', app, '--config', BROKEN_JSON],
    says: /broken\.json cannot be used.*JSON/,
  },
  { what: 'a broken config', code: 2, args: ['dev', app, '--config', BROKEN_TS], says: /broken\.config\.ts cannot be/ },
  {
    what: 'an unknown setting',
    code: 2,
    args: ['dev', app, '--config', UNKNOWN],
    says: /unknown setting prot. Did you mean port/,
  },
  {
    what: 'a bad number in a config file',
    code: 2,
    args: ['dev', app, '--config', BAD_NUMBER],
    says: /concurrency in .*number\.json is invalid: 'many'.*integer from 1/,
  },
  {
    what: 'a setting of no kind',
    code: 2,
    args: ['dev', app, '--config', BAD_SHAPE],
    says: /port is a text, a number/,
  },
  { what: 'a config file of no kind', code: 2, args: ['dev', app, '--config', NO_OBJECT], says: /exports an object/ },
])('$what: exit code $code', async ({ code, args, server, says, env = {}, lines = 0 }) => {
  const own: Record<string, string> = server ? { TAKESPACE_URL: url[server] as string } : {}
  const process = startProcess(['takespace', ...args], { env: { LOG_LEVEL: 'silent', ...own, ...env } })
  expect(await process.exited).toEqual({ code, signal: null })
  // Below the line, an app file that failed has where: file, line and the calls of the app.
  const [error = '', ...where] = process.output().trim().split('\n')
  expect(where).toHaveLength(lines)
  const errors = [error]
  expect(errors[0]).toMatch(says)
  expect(errors[0]).toMatch(/^takespace: /)
  expect(process.output()).not.toContain('s3cret')
})

test.each([
  ['gateway'],
  ['worker', app],
  ['doctor'],
  ['ls'],
  ['read', 'Task'],
  ['take', 'Task'],
  ['write', 'Task', 'id=1'],
])('an address that is none: %s says what to write, and shows no password', async (...args) => {
  const env = { LOG_LEVEL: 'silent', TAKESPACE_URL: 'redis://u:s3%zzcret@127.0.0.1' }
  const process = startProcess(['takespace', ...args], { env })
  expect(await process.exited).toEqual({ code: 1, signal: null })
  expect(process.output()).toMatch(/address is not understood.*write a % as %25/)
  expect(process.output().trim().split('\n')).toHaveLength(1)
  expect(process.output()).not.toMatch(/zz|cret@/)
})

failOnLeaks()
