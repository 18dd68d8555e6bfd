/** The dashboard on the admin port of a gateway, of the supervisor of workers, and of `dev`. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'

const { write } = scratch('ports')
const app = write('app.mjs', 'export default (_req, res) => res.end("hello")')
let redis: Redis
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterAll(() => redis.stop())

const start = (...command: string[]) => startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })

test('it is beside the probes, and reads alone', async () => {
  const admin = ['--admin-port', '0', '--dashboard']
  const started = [
    start('gateway', '--port', '0', ...admin),
    start('worker', app, ...admin),
    start('dev', app, '--port', '0', '--no-reload', ...admin),
  ]
  for (const each of started) {
    const [, url] = await each.line(/"dashboardUrl":"([^"]+)"/)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/dashboard\/$/)
    expect(await (await fetch(url!)).text()).toMatch(/<div id="page">/)
    expect(await (await fetch(`${url}api/v1/me`)).json()).toMatchObject({ user: 'this machine', rights: [] })
    const { status, headers } = await fetch(new URL('/livez', url))
    expect(status).toBe(200)
    expect(headers.get('content-security-policy')).toBeNull()
  }
  for (const each of started) each.kill()
  for (const each of started) expect((await each.exited).code).toBe(0)
})

test('without an admin port, or where others reach it without users, nothing starts', async () => {
  const refused = [
    [/give --admin-port/, start('gateway', '--port', '0', '--dashboard')],
    [
      /it needs --dashboard-users/,
      start('gateway', '--port', '0', '--admin-port', '0', '--admin-host', '0.0.0.0', '--dashboard'),
    ],
    [/it needs --dashboard-users/, start('worker', app, '--admin-port', '0', '--admin-host', '0.0.0.0', '--dashboard')],
  ] as const
  for (const [message, each] of refused) {
    expect((await each.exited).code).toBe(1)
    expect(each.output()).toMatch(message)
  }
})

failOnLeaks()
