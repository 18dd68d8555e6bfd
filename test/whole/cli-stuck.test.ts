/** `takespace worker` with an app that blocks, never ends, leaks or exits: the supervisor says what happens, and others go on. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { testInLongForm } from '../faults/long-form.js'
import { startTroubled, type Troubled } from '../faults/troubled.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

let system: Troubled | undefined
afterEach(() => system?.destroy())

async function start(
  name: string,
  flags: string[],
  timeoutMs?: number,
  env: Record<string, string> = {},
): Promise<Troubled> {
  system = await startTroubled(redis, name, flags, timeoutMs, env)
  return system
}

interface Line {
  readonly msg: string
  readonly process: number
  readonly stack: string[]
  readonly request: string
  readonly turns: { id: string; method: string; path: string }[]
}

const linesOf = ({ worker }: Troubled, msg: string): Line[] =>
  worker
    .output()
    .split('\n')
    .filter((line) => line.includes(`"msg":"${msg}`))
    .map((line) => JSON.parse(line))

test('an endless loop: told with its stack, others go on, killed and replaced, and its client gets 502 after three', async () => {
  const running = await start('loop', ['--processes', '3', '--blocked-timeout-ms', '2000'])
  const load = startLoad(running.url, { perSecond: 20, method: 'GET', path: (n) => `/${n}` })
  const poison = fetch(`${running.url}/spin?token=secret`)
  await until(() => linesOf(running, 'a worker process is blocked').length > 0, 'its stack is logged')
  const [line] = linesOf(running, 'a worker process is blocked') as [Line]
  expect(line.stack[0]).toBe(`spinForEver (${running.app}:4)`)
  expect(line.stack[1]).toMatch(`handle (${running.app}:`)
  expect(line.stack.length).toBeLessThanOrEqual(10)
  expect(line.turns).toContainEqual(expect.objectContaining({ id: line.request, method: 'GET', path: '/spin' }))
  expect(running.worker.output()).not.toContain('secret')

  await running.worker.line(/a worker process does not answer: it is handed nothing more/)
  let seen = new Map<string, number>()
  const inState = (state: string): number => seen.get(`takespace_worker_processes{state="${state}"}`) ?? 0
  await until(async () => {
    seen = await running.series()
    return inState('blocked') > 0
  }, 'it is counted as blocked')
  // Of a process that does not answer nothing is told.
  const told = [...seen.keys()].filter((key) => key.startsWith('takespace_turns_capacity'))
  expect(told.length).toBeLessThanOrEqual(inState('ready'))

  const answer = await poison
  expect([answer.status, await answer.json()]).toMatchObject([502, { code: 'DELIVERIES_EXHAUSTED' }])
  expect(answer.headers.get('x-request-id')).toBe(line.request)
  // More if the machine is so busy that others stand still, too.
  await until(async () => (await running.replaced('blocked')) >= 3, 'three processes were replaced')
  await until(async () => (await running.readyz()).processes === '3 of 3 serve', 'all serve again')
  expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([])
  expect(await running.replaced('exit')).toBe(0)
  await running.end()
})

test('an expression that backtracks for ever is found, too; with no process left the supervisor is not ready', async () => {
  const running = await start('match', ['--blocked-timeout-ms', '2000'], 1_500)
  const poison = fetch(`${running.url}/match`)
  await until(() => linesOf(running, 'a worker process is blocked').length > 0, 'its stack is logged')
  expect(linesOf(running, 'a worker process is blocked')[0]?.stack[0]).toMatch(`handle (${running.app}:`)
  await until(async () => (await running.readyz()).status === 503, 'it is not ready')
  expect((await running.readyz()).processes).toBe('0 of 1 serve')
  expect((await poison).status).toBe(504)
  await until(async () => (await running.readyz()).status === 200, 'it is ready again')
  expect((await fetch(running.url)).status).toBe(200)
  await running.end()
})

test('what was given back from a process that stands still runs once, also when that goes on', async () => {
  const running = await start('busy', ['--processes', '2'])
  const busy = fetch(`${running.url}/busy`)
  const urls = Array.from({ length: 100 }, (_, n) => `/told?n=${n}`)
  const statuses = await Promise.all(urls.map(async (url) => (await fetch(running.url + url)).status))
  expect(new Set(statuses)).toEqual(new Set([200]))
  const pid = await (await busy).text()
  await running.worker.line(/a worker process answers again/)
  // What it was handed before this has come to it before this.
  await until(async () => (await (await fetch(running.url)).text()) === pid, 'it serves again')
  const told = running.worker
    .output()
    .match(/told .*/g)
    ?.map((line) => line.slice('told '.length))
  expect(told?.sort()).toEqual(urls.sort())
  const lost = [0, 1].map((place) => `takespace_turns_total{service="web",ending="lost",process="${place}"}`)
  const series = await running.series()
  expect(lost.some((key) => series.get(key)! > 0)).toBe(true)
  await running.end()
})

test('a process that was frozen and goes on is not replaced', async () => {
  const running = await start('frozen', ['--processes', '2'])
  const [, pid] = await running.worker.line(/"workerPid":(\d+)/)
  process.kill(Number(pid), 'SIGSTOP')
  try {
    await running.worker.line(/a worker process does not answer/)
    expect((await running.readyz()).processes).toBe('1 of 2 serve')
    expect(await Promise.all([1, 2, 3, 4].map(async () => (await fetch(running.url)).status))).toEqual([
      200, 200, 200, 200,
    ])
  } finally {
    process.kill(Number(pid), 'SIGCONT')
  }
  await running.worker.line(/a worker process answers again/)
  expect(await running.readyz()).toEqual({ status: 200, processes: '2 of 2 serve' })
  // Its thread was frozen with it, and has nothing to tell.
  expect(linesOf(running, 'a worker process is blocked')).toEqual([])
  expect(await running.replaced('blocked')).toBe(0)
  await running.end()
})

test('a process under a debugger is neither looked at nor killed', async () => {
  const flags = ['--blocked-timeout-ms', '1000']
  const running = await start('inspected', flags, 3_000, { NODE_OPTIONS: '--inspect=0' })
  expect((await fetch(`${running.url}/spin`)).status).toBe(504)
  expect(linesOf(running, 'a worker process does not answer')).toHaveLength(1)
  expect(linesOf(running, 'a worker process is blocked')).toEqual([])
  expect(linesOf(running, 'a worker process ended')).toEqual([])
})

// The short form has `test/admin/probes.test.ts`.
testInLongForm(
  'handlers that never end: 504 at the deadline, then counted, and with too many of them their process is replaced',
  async () => {
    const running = await start('never', ['--concurrency', '16'], 500)
    const never = async (): Promise<number> => (await fetch(`${running.url}/never`)).status
    expect(await never()).toBe(504)
    const overrun = 'takespace_overrun_handlers{service="web",process="0"}'
    await until(async () => (await running.series()).get(overrun) === 1, 'it is counted')
    const first = await (await fetch(running.url)).text()
    // The next ones take their slots as soon as a second of grace is over.
    for (let round = 0; round < 4; round++) {
      const statuses = await Promise.all(Array.from({ length: 16 }, never))
      expect(new Set(statuses)).toEqual(new Set([504]))
      await until(async () => ((await running.series()).get(overrun) ?? 64) > 16 * (round + 1), 'they are counted, too')
    }
    await running.worker.line(/"reason":"\d+ handlers that never ended"/)
    expect(await running.replaced('overrun')).toBe(1)
    await until(async () => (await (await fetch(running.url)).text()) !== first, 'another process answers')
    expect(await running.readyz()).toEqual({ status: 200, processes: '1 of 1 serve' })
    await running.end()
  },
)

// The short form has `--max-memory` in cli-wear.test.ts.
testInLongForm('a leak of 500 MB in steps of 20: replaced before it is there, and no request fails', async () => {
  const running = await start('leak', ['--max-memory', '300'])
  const load = startLoad(running.url, { perSecond: 10, method: 'POST', path: () => '/leak' })
  const processes = (): Set<string> => new Set(load.answers.map(({ text }) => text))
  await until(() => load.answers.length >= 25 && processes().size >= 2, '500 MB are leaked by two processes')
  const answers = await load.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(await running.replaced('memory')).toBeGreaterThanOrEqual(1)
  expect(running.worker.output()).not.toMatch(/a worker process ended/)
  await running.end()
})

test('process.exit() in a handler: its process is replaced, others go on, its client gets 502 after three', async () => {
  const running = await start('exit', ['--processes', '2'])
  const load = startLoad(running.url, { perSecond: 20, method: 'GET', path: (n) => `/${n}` })
  const answer = await fetch(`${running.url}/exit`)
  expect([answer.status, await answer.json()]).toMatchObject([502, { code: 'DELIVERIES_EXHAUSTED' }])
  await until(async () => (await running.replaced('exit')) === 3, 'three processes were replaced')
  await until(async () => (await running.readyz()).processes === '2 of 2 serve', 'all serve again')
  expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([])
  await running.end()
})

failOnLeaks()
