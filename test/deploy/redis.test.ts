/** examples/deploy/redis: a real server runs with these files, and each role does its work with no right more. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis as Client } from 'ioredis'
import { load as parsed } from 'js-yaml'
import { ROLES } from '../../src/engines/redis/roles.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { textOf } from '../support/repository.js'
import { launchServer, type ServerProcess } from '../support/server-process.js'
import { aclFile, passwordOf } from './users.js'

const FOLDER = fileURLToPath(new URL('../../examples/deploy/redis', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'takespace-deploy-'))
const app = join(folder, 'app.mjs')

let port: number
let server: ServerProcess
beforeAll(async () => {
  port = await freePort()
  copyFileSync(join(FOLDER, 'users.acl'), join(folder, 'users.acl'))
  writeFileSync(app, 'export default (req, res) => res.end("served")')
  // Its folder is that of the package, which may not be here, and is read before the command line.
  const conf = readFileSync(join(FOLDER, 'redis.conf'), 'utf8').replace(/^dir .*$/m, `dir ${folder}`)
  writeFileSync(join(folder, 'redis.conf'), conf)
  const moved = ['--port', String(port), '--aclfile', join(folder, 'users.acl')]
  server = await launchServer(port, [join(folder, 'redis.conf'), ...moved])
})
afterAll(async () => {
  await server.kill()
  rmSync(folder, { recursive: true, force: true })
})

const urlOf = (role: string): string => `redis://${role}:${passwordOf(role)}@127.0.0.1:${port}`

const started = (role: string, ...command: string[]): Process =>
  startProcess(['takespace', ...command], { env: { TAKESPACE_URL: urlOf(role) } })

test('users.acl has the rights that this release needs', () => {
  expect(readFileSync(join(FOLDER, 'users.acl'), 'utf8')).toBe(aclFile())
})

test('the loader loads the functions; gateway and worker serve with their own users; doctor finds nothing to change', async () => {
  const load = started('loader', 'load')
  expect(await load.exited).toEqual({ code: 0, signal: null })
  const gateway = started('gateway', 'gateway', '--port', '0')
  const worker = started('worker', 'worker', app)
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  expect(await (await fetch(url as string)).text()).toBe('served')
  const doctor = started('gateway', 'doctor', '--json')
  expect((await doctor.exited).code).toBe(0)
  const checks = JSON.parse(doctor.output()) as { check: string; status: string }[]
  expect(checks.filter(({ status }) => status !== 'ok')).toEqual([])
  for (const process of [gateway, worker]) {
    process.kill('SIGTERM')
    expect(await process.exited).toEqual({ code: 0, signal: null })
  }
})

test('the dashboard of compose.yaml reads as the observer', async () => {
  const load = started('loader', 'load')
  expect(await load.exited).toEqual({ code: 0, signal: null })
  const users = join(folder, 'users.json')
  const passwd = startProcess(['takespace', 'dashboard', 'passwd', users, 'reader', '--token'])
  expect(await passwd.exited).toEqual({ code: 0, signal: null })
  const { services } = parsed(textOf('examples/deploy/docker/compose.yaml')) as {
    services: { dashboard: { command: string[] } }
  }
  const inContainer: Readonly<Record<string, string>> = { '9096': '0', '/run/secrets/dashboard_users': users }
  const dashboard = started('observer', ...services.dashboard.command.map((word) => inContainer[word] ?? word))
  const [, ofDashboard] = await dashboard.line(/"url":"http:\/\/0\.0\.0\.0:(\d+)/)
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${ofDashboard}${path}`, { headers })
  // As the probes of Kubernetes ask.
  expect((await ask('/')).status).toBe(200)
  expect((await ask('/api/v1/state')).status).toBe(401)
  const state = await ask('/api/v1/state', { authorization: `Bearer ${passwd.output().trim()}` })
  expect(await state.json()).toMatchObject({ durability: 'local', rating: 'good' })
  dashboard.kill('SIGTERM')
  expect(await dashboard.exited).toEqual({ code: 0, signal: null })
})

test.each(Object.keys(ROLES))('%s can do no more', async (role) => {
  const client = new Client(port, '127.0.0.1', {
    username: role,
    password: passwordOf(role),
    lazyConnect: true,
    enableReadyCheck: false,
  })
  client.on('error', () => {})
  await client.connect()
  try {
    const forbidden = [
      ['FLUSHALL'],
      ['CONFIG', 'SET', 'appendonly', 'no'],
      ['KEYS', '*'],
      ['SHUTDOWN'],
      ['ACL', 'LIST'],
      ['SET', 'foreign', '1'],
      ['GET', '{ts:other}:m'],
      ['FUNCTION', 'FLUSH'],
    ]
    for (const [name, ...args] of forbidden) await expect(client.call(name!, ...args)).rejects.toThrow(/NOPERM/)
  } finally {
    client.disconnect()
  }
})

failOnLeaks()
