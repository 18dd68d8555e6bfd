/** Under systemd: a process says when it serves, that its event loop turns, and that it stops; those that it starts say nothing. */
import { afterAll, beforeAll, expect } from '@jest/globals'
import { form } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { listenToNotices, type Notified, testWithSystemd } from '../support/notified.js'
import { startProcess } from '../support/process.js'
import { MEMORY_ONLY, type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const { folder, write } = scratch('systemd')
/** Says whether the variables of the service manager have reached it. */
const app = write(
  'app.mjs',
  `console.log('inherited', Object.keys(process.env).filter((name) => /NOTIFY|WATCHDOG/.test(name)).length)
  export default (req, res) => res.end()`,
)

let redis: Redis
let notified: Notified
beforeAll(async () => {
  if (MEMORY_ONLY) return
  redis = await startRedis()
  notified = await listenToNotices(folder)
})
afterAll(async () => {
  notified?.process.kill()
  await notified?.process.exited
  await redis?.stop()
})

/** Without those by which systemd-notify waits until it has been heard. */
const told = (): string[] =>
  [...notified.process.output().matchAll(/^told (.*)$/gm)]
    .map(([, message]) => message!)
    .filter((message) => message !== 'BARRIER=1')

const OF_SERVICES = [
  ['gateway', ['gateway', '--port', '0'], /"msg":"listening"/],
  ['supervisor of workers', ['worker', app], /"msg":"starting"/],
  ['supervisor of gateways', ['gateway', '--port', '0', '--processes', '2'], /"msg":"starting"/],
  ['scheduler', ['scheduler'], /"msg":"ready"/],
] as const

testWithSystemd.each(OF_SERVICES.slice(0, form(2, OF_SERVICES.length)))('%s', async (_what, args, started) => {
  const before = told().length
  const since = (): string[] => told().slice(before)
  const env = { TAKESPACE_URL: redis.url, NOTIFY_SOCKET: notified.socket, WATCHDOG_USEC: '200000' }
  const process = startProcess(['takespace', ...args], { env })
  await process.line(started)
  await until(() => since().filter((message) => message === 'WATCHDOG=1').length >= 2, 'the watchdog is told twice')
  expect(since()[0]).toBe('READY=1')
  expect(since().filter((message) => message === 'READY=1')).toHaveLength(1)
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
  expect(since().filter((message) => message !== 'WATCHDOG=1')).toEqual(['READY=1', 'STOPPING=1'])
  if (args[0] === 'worker') expect(process.output()).toContain('inherited 0')
})

testWithSystemd('a frozen process tells the watchdog nothing', async () => {
  const before = told().length
  const since = (): string[] => told().slice(before)
  const env = { TAKESPACE_URL: redis.url, NOTIFY_SOCKET: notified.socket, WATCHDOG_USEC: '100000' }
  const process = startProcess(['takespace', 'gateway', '--port', '0'], { env })
  await until(() => since().includes('WATCHDOG=1'), 'the watchdog is told')
  process.kill('SIGSTOP')
  const frozen = since().length
  // One may be on its way.
  await expect(until(() => since().length > frozen + 1, 'it tells more', 1_000)).rejects.toThrow(/in vain/)
  process.kill('SIGCONT')
  await until(() => since().length > frozen + 2, 'it tells again')
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
})

testWithSystemd('a watchdog that is meant for another process is not told', async () => {
  const before = told().length
  const watchdog = { WATCHDOG_USEC: '200000', WATCHDOG_PID: '1' }
  const env = { TAKESPACE_URL: redis.url, NOTIFY_SOCKET: notified.socket, ...watchdog }
  const process = startProcess(['takespace', 'gateway', '--port', '0'], { env })
  await until(() => told().slice(before).includes('READY=1'), 'it is ready')
  process.kill('SIGTERM')
  await process.exited
  expect(told().slice(before)).toEqual(['READY=1', 'STOPPING=1'])
})

failOnLeaks()
