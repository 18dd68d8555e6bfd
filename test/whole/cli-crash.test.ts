/** One bad request hurts one client: an error that nothing catches fails its request alone, and costs one process. */
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { createClient, openSpace, type Space } from '../../src/index.js'
import { startDev } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const APP = fileURLToPath(new URL('children/crashing.js', import.meta.url))

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const running = new Set<Process>()
const spaces: Space[] = []
afterEach(async () => {
  const all = [...running]
  running.clear()
  for (const process of all) process.kill()
  await Promise.all(all.map(({ exited }) => exited))
  await Promise.all(spaces.splice(0).map((space) => space.close()))
})

interface System {
  readonly url: string
  readonly workers: Process
  /** Sends POST /hold, which is answered after the next error. Resolves when its handler runs. */
  hold(): Promise<{ readonly answer: Promise<Response> }>
  /** How often the workers have written this. */
  times(text: string): number
}

async function start(name: string, flags: readonly string[] = [], env: Record<string, string> = {}): Promise<System> {
  const at = { env: { ...env, TAKESPACE_URL: redis.url, TAKESPACE_NAME: name } }
  const workers = startProcess(['takespace', 'worker', APP, ...flags], at)
  running.add(workers)
  const space = await openSpace(redis.url, { name })
  spaces.push(space)
  const gateway = createGateway({ space, port: 0 })
  await gateway.start()
  const { url } = gateway
  await workers.line(/a worker process is ready/)
  const times = (text: string): number => workers.output().split(text).length - 1
  return {
    url,
    workers,
    times,
    async hold() {
      const before = times('holding')
      const held = fetch(`${url}/hold`, { method: 'POST' })
      await until(() => times('holding') > before, 'the handler runs')
      return { answer: held }
    },
  }
}

const pidOf = async (response: Response | Promise<Response>): Promise<string> => (await response).text()

const get = async (url: string): Promise<string> => String((await fetch(url)).status)

/** Resolves with the status of the upgrade when the connection is closed. */
const upgraded = (url: string): Promise<string> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    let text = ''
    const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
    socket.write(`GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`)
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk
      if (text.endsWith('\r\n\r\n')) socket.write('bytes')
    })
    socket.on('error', () => {}).on('close', () => resolve(`${text.slice(9, 12)}, cut`))
  })

/** What the client of each kind of error sees. */
const KINDS: Readonly<Record<string, (url: string) => Promise<string>>> = {
  immediate: get,
  tick: get,
  forgotten: get,
  event: get,
  body: async (url) => {
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(Buffer.alloc(20_000))
        await new Promise((resolve) => setTimeout(resolve, 20))
      },
    })
    return String((await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit)).status)
  },
  streamed: async (url) => {
    const response = await fetch(url)
    return response.text().catch(() => `${response.status}, cut`)
  },
}

test('wherever errors are thrown: their clients hear at once, the others are answered, the process is replaced', async () => {
  const { url, workers, hold, times } = await start('kinds')
  const { answer } = await hold()
  const order: string[] = []
  const asked = Object.entries(KINDS).map(async ([kind, ask]): Promise<[string, string]> => {
    const seen = await ask(`${url}/${kind}`)
    order.push(kind)
    return [kind, seen]
  })
  const other = answer.then((response) => {
    order.push('the other')
    return response
  })
  for (const kind of Object.keys(KINDS)) await workers.line(new RegExp(`waiting ${kind}`))
  await fetch(`${url}/go`, { method: 'POST' })
  const all = { immediate: '500', tick: '500', forgotten: '500', event: '500', body: '500' }
  expect(Object.fromEntries(await Promise.all(asked))).toEqual({ ...all, streamed: '200, cut' })
  expect((await other).status).toBe(200)
  expect(order.at(-1)).toBe('the other')
  expect(await pidOf(fetch(url))).not.toBe(await pidOf(other))
  for (const kind of Object.keys(KINDS)) {
    const runs = times(`waiting ${kind}`)
    expect([kind, runs, times(`"message":"nothing catches this: ${kind}"`)]).toEqual([kind, 1, 1])
  }
  expect(times('a worker process crashed: it finishes its requests and is replaced')).toBe(1)
  expect(times('the grace after a crash is over')).toBe(0)
})

test('an error of a WebSocket closes it, and costs no other request', async () => {
  const { url, workers, hold, times } = await start('upgrade')
  const { answer } = await hold()
  const closed = upgraded(url)
  await workers.line(/waiting upgrade/)
  await fetch(`${url}/go`, { method: 'POST' })
  expect(await closed).toBe('101, cut')
  expect((await answer).status).toBe(200)
  expect(times('"message":"nothing catches this: upgrade"')).toBe(1)
})

test('a task fails with its error, and is attempted again only as its caller said', async () => {
  const { times } = await start('task')
  await using space = await openSpace(redis.url, { name: 'task' })
  const failed = { code: 'TASK_FAILED', cause: { message: 'nothing catches this: task' } }
  await expect(createClient({ space }).call('crash')).rejects.toMatchObject(failed)
  // The log is written in batches; the outcome does not wait for it.
  await until(() => times('"message":"nothing catches this: task"') > 0, 'the log tells')
  expect(times('"message":"nothing catches this: task"')).toBe(1)
})

test('an error of no request: all that can end in the grace does, and the rest counts a death', async () => {
  const { url, hold, times } = await start('elsewhere', ['--crash-grace-ms', '1500'])
  const { answer } = await hold()
  const endless = fetch(`${url}/endless`)
  await until(() => times('endless 1') === 1, 'it runs')
  const answers = await Promise.all([answer, fetch(`${url}/elsewhere`)])
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(await pidOf(endless)).not.toBe(await pidOf(answers[0]!))
  expect(times('endless 2')).toBe(1)
})

test('nor does an error after the response cost another request', async () => {
  const { url, hold } = await start('after')
  const { answer } = await hold()
  expect(await pidOf(fetch(`${url}/after`))).toBe(await pidOf(answer))
  expect((await fetch(url)).status).toBe(200)
})

test('after the grace of a failed request, the others go to another process or are answered 502', async () => {
  const { url, hold, times } = await start('grace', ['--crash-grace-ms', '50'])
  const { answer } = await hold()
  const endless = fetch(`${url}/endless`)
  await until(() => times('endless 1') === 1, 'it runs')
  expect((await fetch(`${url}/timer`)).status).toBe(500)
  expect((await answer).status).toBe(502)
  // Given back, it counts no death; so the next process runs it like the first one.
  await until(() => times('endless 1') === 2, 'it runs again')
  await fetch(`${url}/elsewhere`)
  expect((await endless).status).toBe(200)
})

test('an error of a listener that the end of a request calls is logged, and costs no process', async () => {
  const { url, workers, times } = await start('listener')
  const pid = await pidOf(fetch(url))
  const leaving = new AbortController()
  const asked = fetch(`${url}/listener`, { signal: leaving.signal }).catch(() => {})
  await workers.line(/listening/)
  leaving.abort()
  await asked
  await until(() => times('"a listener of a request that is over failed"') === 2, 'both are logged')
  expect(await pidOf(fetch(url))).toBe(pid)
})

test('with --on-crash exit the process ends at once, as in Node; an app that listens itself decides itself', async () => {
  const exits = await start('exit', ['--on-crash', 'exit'])
  const held = await exits.hold()
  expect((await fetch(`${exits.url}/timer`, { method: 'POST' })).status).toBe(502)
  expect((await held.answer).status).toBe(502)
  const decides = await start('decides', [], { APP_DECIDES: '1' })
  const answered = await decides.hold()
  await fetch(`${decides.url}/rejection`).then(async (response) => expect(await response.text()).toBe('too late'))
  expect(await pidOf(fetch(decides.url))).toBe(await pidOf(answered.answer))
  expect(decides.times('the app heard: nothing catches this: rejection')).toBe(1)
})

test('the pause before a replacement grows only while processes answer nothing', async () => {
  const { url, workers } = await start('pauses', ['--concurrency', '1'])
  const pauses = (): number[] =>
    [...workers.output().matchAll(/"pauseMs":(\d+),"msg":"a worker process crashed/g)].map(([, ms]) => Number(ms))
  const crash = async (): Promise<number> => (await fetch(`${url}/timer`)).status
  for (let crashes = 1; crashes <= 3; crashes++) {
    expect(await crash()).toBe(500)
    // The answer comes before the supervisor knows.
    await until(() => pauses().length === crashes, `${crashes} crashes are logged`)
  }
  const [, second, third] = pauses()
  expect(second).toBeGreaterThan(0)
  expect(third).toBeGreaterThan(second!)
  expect((await fetch(url)).status).toBe(200)
  expect(await crash()).toBe(500)
  await until(() => pauses().length === 4, 'the fourth is logged')
  expect(pauses()[3]).toBe(0)
})

test('takespace dev answers 500 and goes on', async () => {
  const [dev, url] = await startDev(APP)
  running.add(dev)
  const pid = await pidOf(fetch(url))
  expect((await fetch(`${url}/timer`)).status).toBe(500)
  expect(await pidOf(fetch(url))).toBe(pid)
  await fetch(`${url}/elsewhere`).catch(() => {})
  expect((await dev.exited).code).toBe(1)
})

failOnLeaks()
