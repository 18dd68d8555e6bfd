/** Users of the dashboard: passwords, sessions, tokens, roles, and the file that has them. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { auditTrail } from '../../src/control/audit.js'
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

describe('a login by a proxy', () => {
  const origins = ['https://ops.example.com']
  const proxyLogin = { header: 'X-Remote-User', from: ['10.0.0.5', '10.1.0.0/16', '2001:db8::/32'] }
  const behind = { host: 'ops.example.com', 'x-forwarded-for': '203.0.113.9' }
  const asked = (on: Dashboard, address: string, headers: Record<string, string>, path = 'me') =>
    ask(on, path, { address, headers: { ...behind, ...headers } })

  test('names the user, from the addresses of the proxy alone', async () => {
    const own = createDashboard({ space, proxyLogin, rights: ['pause'], origins })
    for (const address of ['10.0.0.5', '::ffff:10.0.0.5', '10.1.2.3', '2001:db8::7']) {
      const { json } = await asked(own, address, { 'x-remote-user': 'ann' })
      expect(json).toMatchObject({ user: 'ann', rights: ['pause'], hasLogin: false })
    }
    for (const address of ['10.0.0.6', '127.0.0.1', '::1', '10.2.0.1', '']) {
      expect((await asked(own, address, { 'x-remote-user': 'ann' })).json.rule).toBe('login')
    }
    // Without the field, with an empty one, with one of the client beside that of the proxy, and with one that is no name.
    for (const name of [undefined, '', 'eve, ann', 'a b', '__proto__']) {
      const headers: Record<string, string> = name === undefined ? {} : { 'x-remote-user': name }
      expect((await asked(own, '10.0.0.5', headers)).json.rule).toBe('login')
    }
    await own.stop()
  })

  test('an act needs the origin of the page all the same, and its right', async () => {
    const own = createDashboard({ space, proxyLogin, rights: ['pause'], origins })
    const act = (path: string, origin: string) =>
      ask(own, path, {
        address: '10.0.0.5',
        body: { what: 'service', name: 'web' },
        headers: { ...behind, origin, 'x-remote-user': 'ann' },
      })
    expect((await act('pause', 'https://evil.example')).json.rule).toBe('origin')
    expect((await act('dead/drop', origins[0]!)).json.right).toBe('dead')
    expect((await act('pause', origins[0]!)).status).toBe(200)
    expect((await auditTrail(space))[0]).toMatchObject({ act: 'pause', by: 'ann', from: '10.0.0.5' })
    await own.stop()
  })

  test('with a file of users the roles are those of the file, and nobody else is let in', async () => {
    writeUser(file, 'sue', { role: 'owner' })
    const own = createDashboard({ space, proxyLogin, users: file, origins })
    expect((await asked(own, '10.0.0.5', { 'x-remote-user': 'sue' })).json.rights).toContain('entries')
    expect((await asked(own, '10.0.0.5', { 'x-remote-user': 'tom' })).json.rule).toBe('login')
    // Who has no password cannot log in with one.
    expect((await login('sue', '', own)).status).toBe(401)
    await own.stop()
  })

  test('is refused if it is malformed, or could be forged', () => {
    const wrong: [object, RegExp][] = [
      [{ ...proxyLogin, header: 'Cookie' }, /name of a field/],
      [{ ...proxyLogin, header: 'a b' }, /name of a field/],
      [{ ...proxyLogin, from: [] }, /list of IP addresses/],
      [{ ...proxyLogin, from: ['proxy.example'] }, /not proxy\.example/],
      [{ ...proxyLogin, from: ['10.0.0.0/33'] }, /not 10\.0\.0\.0\/33/],
      [{ header: 'X-Remote-User' }, /list of IP addresses/],
    ]
    for (const [login, message] of wrong) {
      expect(() => createDashboard({ space, proxyLogin: login as typeof proxyLogin })).toThrow(message)
    }
    expect(() => createDashboard({ space, proxyLogin, resolve: () => null })).toThrow(/Give resolve, or/)
  })

  test('by the flags of the command', async () => {
    const path = join(folder, 'roles.json')
    const passwd = ['dashboard', 'passwd', path, 'ann', '--role', 'operator', '--no-password']
    expect(await startProcess(['takespace', ...passwd]).exited).toEqual({ code: 0, signal: null })
    expect(JSON.parse(readFileSync(path, 'utf8')).users.ann).toEqual({ role: 'operator' })
    const alone = startProcess(['takespace', 'dashboard', '--dashboard-user-header', 'X-Remote-User'])
    expect((await alone.exited).code).toBe(1)
    expect(alone.output()).toMatch(/--dashboard-user-header and --dashboard-trust-proxy need each other/)
  })
})

failOnLeaks()
