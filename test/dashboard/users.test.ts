/** Users of the dashboard: passwords, sessions, tokens, roles, and the file that has them. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createDashboard, type Dashboard } from '../../src/dashboard/index.js'
import { writePassword, writeToken, writeUser } from '../../src/dashboard/users.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { form } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'
import { ask } from './asked.js'

const { folder } = scratch('users')
const file = join(folder, 'users.json')
const PASSWORD = 'correct horse battery'
let space: Space
let dashboard: Dashboard
beforeAll(async () => {
  await writePassword(file, 'ann', PASSWORD, { role: 'operator' })
  await writePassword(file, 'bob', PASSWORD, {})
  space = await openSpace('memory:')
  dashboard = createDashboard({ space, users: file })
})
afterAll(() => space.close())

const login = (name: string, password: string, on = dashboard) => ask(on, 'login', { body: { name, password } })

/** The cookie of a session, as the browser sends it back. */
async function sessionOf(name: string, on = dashboard): Promise<string> {
  const { status, headers } = await login(name, PASSWORD, on)
  expect(status).toBe(200)
  return headers.get('set-cookie')!.split(';', 1)[0]!
}

test('the file has hashes alone, and is of its owner', () => {
  const text = readFileSync(file, 'utf8')
  expect(text).not.toContain(PASSWORD)
  expect(JSON.parse(text).users.ann).toEqual({ role: 'operator', password: expect.stringMatching(/^scrypt\$32768\$/) })
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('nothing is shown before the login', async () => {
  for (const path of ['state', 'me', 'events', 'audit', 'dead']) {
    const { status, json } = await ask(dashboard, path)
    expect([status, json.rule, json.login]).toEqual([401, 'login', true])
  }
  expect((await ask(dashboard, '/')).status).toBe(200)
})

test('a session is a cookie that no script reads and no other site sends, and it ends', async () => {
  const { headers } = await login('ann', PASSWORD)
  expect(headers.get('set-cookie')).toMatch(
    /^__Host-takespace=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
  )
  const cookie = headers.get('set-cookie')!.split(';', 1)[0]!
  expect((await ask(dashboard, 'me', { headers: { cookie } })).json).toMatchObject({
    user: 'ann',
    rights: expect.arrayContaining(['dead']),
  })
  expect((await ask(dashboard, 'me', { headers: { cookie: `${cookie}x` } })).status).toBe(401)
  const out = await ask(dashboard, 'logout', { body: {}, headers: { cookie } })
  expect(out.headers.get('set-cookie')).toMatch(/^__Host-takespace=; .*Max-Age=0/)
  expect((await ask(dashboard, 'me', { headers: { cookie } })).status).toBe(401)
})

test('the rights are those of the role, and of each right the role is told', async () => {
  const cookie = await sessionOf('bob')
  const body = { what: 'service', name: 'web' }
  expect((await ask(dashboard, 'pause', { body, headers: { cookie } })).json).toMatchObject({
    rule: 'right',
    right: 'pause',
  })
  const ann = await sessionOf('ann')
  expect((await ask(dashboard, 'pause', { body, headers: { cookie: ann } })).status).toBe(200)
  expect((await ask(dashboard, 'entries/take', { body: {}, headers: { cookie: ann } })).json.right).toBe('entries')
})

test('wrong passwords are slowed, of users that do not exist, too', async () => {
  const own = createDashboard({ space, users: file })
  for (const name of form(['nobody'], ['bob', 'nobody', '__proto__'])) {
    const tries = []
    for (let i = 0; i < 4; i++) tries.push((await login(name, 'wrong password', own)).status)
    expect(tries).toEqual([401, 401, 401, 429])
    expect((await login(name, PASSWORD, own)).status).toBe(429)
  }
  // Others are not.
  expect((await login('ann', PASSWORD, own)).status).toBe(200)
  await own.stop()
})

test('a token is for programs: it needs no Origin', async () => {
  const token = writeToken(file, 'robot', { rights: ['dead'] })
  const headers = { authorization: `Bearer ${token}`, origin: undefined, 'sec-fetch-site': undefined }
  await until(async () => (await ask(dashboard, 'me', { headers })).status === 200, 'the file is read again')
  const drop = await ask(dashboard, 'dead/requeue', { body: { match: {}, seen: 0 }, headers })
  expect(drop.status).toBe(200)
  expect((await ask(dashboard, 'pause', { body: {}, headers })).json.right).toBe('pause')
  expect((await ask(dashboard, 'me', { headers: { ...headers, authorization: 'Bearer wrong' } })).status).toBe(401)
})

test('who is removed from the file is out', async () => {
  await writePassword(file, 'eve', PASSWORD, {})
  await until(async () => (await login('eve', PASSWORD)).status === 200, 'the file is read again')
  const cookie = await sessionOf('eve')
  writeUser(file, 'eve', null)
  await until(async () => (await ask(dashboard, 'me', { headers: { cookie } })).status === 401, 'the session has ended')
})

test('http beyond this machine needs to be asked for, and the cookie then works with it', async () => {
  const plain = createDashboard({ space, users: file, origins: ['http://10.0.0.5:9096'], insecureHttp: true })
  const headers = { host: '10.0.0.5:9096', origin: 'http://10.0.0.5:9096', 'sec-fetch-site': undefined }
  const { headers: got } = await ask(plain, 'login', {
    body: { name: 'ann', password: PASSWORD },
    headers,
    address: '10.0.0.9',
  })
  expect(got.get('set-cookie')).toMatch(/^takespace-dashboard=.*SameSite=Strict$/)
  await plain.stop()
})

test('passwd writes the file, and the command serves its users', async () => {
  const path = join(folder, 'more.json')
  const passwd = startProcess(['takespace', 'dashboard', 'passwd', path, 'kim', '--role', 'owner'], { hasInput: true })
  passwd.write(`${PASSWORD}\n`)
  expect(await passwd.exited).toEqual({ code: 0, signal: null })
  expect(JSON.parse(readFileSync(path, 'utf8')).users.kim.role).toBe('owner')
  const short = startProcess(['takespace', 'dashboard', 'passwd', path, 'kim'], { hasInput: true })
  short.write('short\n')
  expect((await short.exited).code).toBe(1)
  const open = startProcess(['takespace', 'dashboard', '--dashboard-host', '0.0.0.0', '--url', 'redis://127.0.0.1:1'])
  expect((await open.exited).code).toBe(1)
  expect(open.output()).toMatch(/it needs --dashboard-users/)
})

failOnLeaks()
