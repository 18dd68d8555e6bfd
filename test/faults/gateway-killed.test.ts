/** Promise 4: a gateway is killed with requests under way. Those of other gateways do not feel it, and of its own nothing stays. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { entriesIn, type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form } from './form.js'
import { startMixed } from './mixed.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

const KILLS = form(2, 20)

let redis: Redis
let system: System | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(() => system?.destroy())
afterAll(() => redis.stop())

test(
  'the others serve on, no request runs twice that may not, and what nobody waits for any more is gone',
  async () => {
    const running = await startSystem(redis, { processes: 2, concurrency: 4 })
    system = running
    const load = startMixed(running, { workMs: 20 })
    const cut: string[] = []
    for (let i = 0; i < KILLS; i++) {
      const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env: { TAKESPACE_URL: redis.url } })
      const [, url] = await gateway.line(/"url":"([^"]+)"/)
      // More than there is room for: some run and some wait when it dies.
      const paths = Array.from({ length: 24 }, (_, n) => `/${n % 2 ? 'get' : 'post'}/killed-${i}-${n}?ms=300`)
      const asked = paths.map(async (path) => {
        const answered = await fetch(url + path, { method: path.startsWith('/get') ? 'GET' : 'POST' }).catch(() => null)
        if (!answered) cut.push(path)
      })
      const isWithUs = ({ url: path }: { url: string }): boolean => path.includes(`killed-${i}-`)
      await until(() => running.runs().some(isWithUs), 'its requests run')
      gateway.kill('SIGKILL')
      await gateway.exited
      await Promise.all(asked)
    }
    const verdict = verdictOf(await load.stop(), running.runs())
    tell(`a gateway killed, ${KILLS} times`, verdict, `${cut.length} requests of its clients cut off`)
    expect(verdict.failed).toBe(0)
    // The fault hit.
    expect(cut.length).toBeGreaterThan(KILLS * 10)
    // Nor does anything stay of them.
    await running.drain()
  },
  form(60_000, 180_000),
)

test('what waits when its gateway is killed, and no worker comes, is gone with the last process', async () => {
  const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env: { TAKESPACE_URL: redis.url } })
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  const asked = Array.from({ length: 8 }, (_, n) => fetch(`${url}/${n}`, { method: n % 2 ? 'GET' : 'POST' }))
  const cut = Promise.allSettled(asked)
  const waiting = (): Promise<number> => entriesIn(redis)
  await until(async () => (await waiting()) === 8, 'they wait in the space')
  gateway.kill('SIGKILL')
  await cut
  // The fault hit: they outlive their gateway.
  expect(await waiting()).toBe(8)
  await nothingIsLeft(redis)
})

failOnLeaks()
