/** Promise 9: waiting costs nothing. An idle system leaves Redis alone, over two connections per process at most. */
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { form, report } from '../faults/form.js'
import { type System, startSystem } from '../faults/system.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'

const WORKERS = 4
const WATCHED_MS = form(5_000, 20_000)
const WAITER = fileURLToPath(new URL('../faults/children/waiter.js', import.meta.url))

let redis: Redis
let system: System | undefined
let waiter: Process | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  await system?.destroy()
  waiter?.kill('SIGKILL')
})
afterAll(() => redis.stop())

/** What Redis says that its clients send, from now on: a line for each command, those of its own functions marked `lua`. */
async function monitor(): Promise<{ stop(): string[] }> {
  const socket = connect(redis.port, '127.0.0.1')
  let text = ''
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      if (text.startsWith('+OK\r\n')) resolve()
    })
    socket.write('MONITOR\r\n')
  })
  return {
    stop() {
      socket.destroy()
      return text.split('\r\n').slice(1, -1)
    },
  }
}

const processed = async (): Promise<number> =>
  Number((await redis.cli('INFO', 'stats')).match(/total_commands_processed:(\d+)/)?.[1])

test('a gateway, four workers and a hundred blocked takes send fewer than 20 commands a second in all', async () => {
  const running = await startSystem(redis, { processes: WORKERS })
  system = running
  waiter = startProcess([WAITER, redis.url, '100'])
  await waiter.line(/waiting/)
  // They have served something, so whatever serving opens is open.
  expect((await fetch(`${running.url}/once`)).status).toBe(200)

  const watching = await monitor()
  const before = await processed()
  const since = performance.now()
  await pause(WATCHED_MS)
  const seconds = (performance.now() - since) / 1_000
  const inAll = (await processed()) - before
  // Our own INFO came last.
  const sent = watching.stop().filter((line) => !/^\+?[\d.]+ \[\d+ lua\]/.test(line) && !/"INFO" "stats"/i.test(line))
  const perSecond = sent.length / seconds

  // Gateway, supervisor, workers, and the process that waits.
  const processes = 2 + WORKERS + 1
  const clients = (await redis.cli('CLIENT', 'LIST', 'TYPE', 'pubsub')).trim().split('\n').length
  const all = (await redis.cli('CLIENT', 'LIST')).trim().split('\n').length - 1
  report('idle', {
    'commands a second from clients': Math.round(perSecond * 10) / 10,
    'with those inside functions': Math.round((inAll / seconds) * 10) / 10,
    processes,
    connections: all,
  })
  expect(perSecond).toBeGreaterThan(0)
  expect(perSecond).toBeLessThan(20)
  expect(clients).toBe(processes)
  expect(all).toBeLessThanOrEqual(processes * 2)
  waiter.kill('SIGTERM')
  expect(await waiter.exited).toEqual({ code: 0, signal: null })
  await running.drain()
})

failOnLeaks()
