/**
 * Drains under load, of a process, a host and a release, by the dashboard, by `takespace top` and by `takespace drain`: no
 * request fails, each shows when nothing is left, and then nothing begins there.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Page } from 'playwright-core'
import type { ProcessReport } from '../../src/control/kinds.js'
import { order } from '../../src/control/orders.js'
import { type Chosen, chosenOf, processesIn } from '../../src/control/processes.js'
import { form, isLong, show } from '../faults/form.js'
import { type GatewayAt, startHaproxy } from '../support/haproxy.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Load, startLoad } from '../support/load.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { hasProgram } from '../support/programs.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { hasTerminal, shownOn, startOnTerminal } from '../support/terminal.js'
import { until } from '../support/until.js'
import { type Browser, foundChromium, startBrowser } from './browser.js'
import { goTo } from './looks.js'
import { openRoom, type Room } from './room.js'

/** The process, and when it began. */
const APP = `
export default async (_req, res) => {
  const began = Date.now()
  await new Promise((resolve) => setTimeout(resolve, 100))
  res.end(process.pid + ' ' + began)
}
`
const PER_SECOND = form(60, 150)
/** Answers that come while something is drained. */
const MEANWHILE = form(20, 200)

const { write } = scratch('drains')
let redis: Redis
let room: Room
let browser: Browser | undefined
let page: Page
const started: Process[] = []

const start = (...command: string[]): Process => {
  const process = startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })
  started.push(process)
  return process
}

beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
  room = await openRoom(redis, 'default', { rights: ['processes'] })
  if (!foundChromium) return
  browser = await startBrowser()
  page = await browser.context.newPage()
})
afterAll(async () => {
  await browser?.close()
  for (const each of started) each.kill()
  await Promise.all(started.map(({ exited }) => exited))
  await room.close()
  await redis.stop()
})

/** The name of a choice. */
const nameIn = ({ process = '', host, release }: Chosen): string => host ?? release ?? shortOf(process)

const shortOf = (process: string): string => process.slice(0, 8)

/** Each drains what is chosen, and resolves when it has shown that nothing is left. */
const WAYS: Readonly<Record<string, (chosen: Chosen) => Promise<void>>> = {
  async dashboard(chosen) {
    const name = nameIn(chosen)
    await goTo(page, room.url, 'processes')
    const label = chosen.process ? `Drain process ${name}` : `Drain all of ${name}`
    await page.getByRole('button', { name: label }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText(/\d+ process(es)? with \d+ requests? in flight/).waitFor()
    await dialog.getByRole('button', { name: 'Drain' }).click()
    const place = page.getByRole('region', { name: chosen.process ? 'Processes' : chosen.host ? 'Hosts' : 'Releases' })
    await place
      .getByRole('row')
      .filter({ hasText: name })
      .getByText(/nothing is left$/)
      .waitFor()
  },
  async top(chosen) {
    const top = startOnTerminal('top', '--url', redis.url, '--interval-ms', '200')
    const text = chosen.process ? nameIn(chosen) : `${chosen.host ? 'host' : 'release'}=${nameIn(chosen)}`
    await top.line(/PROCESS/)
    top.write(`D${text}\r`)
    await top.line(/drain \d+ process(es)? \(.*\) with \d+ requests in flight\? y\/n:/)
    top.write('y\r')
    await until(() => shownOn(top).includes(`drain of ${text}: nothing is left`), 'nothing is left')
    top.write('q')
    await top.exited
  },
  async command(chosen) {
    const { process, host, release } = chosen
    const flags = [...(process ? [process] : []), ...(host ? ['--host', host] : [])]
    const drain = start('drain', ...flags, ...(release ? ['--of-release', release] : []))
    expect(await drain.exited).toEqual({ code: 0, signal: null })
    expect(drain.output()).toMatch(/nothing is left\n$/)
  },
}

const isThere: Readonly<Record<string, boolean>> = {
  dashboard: foundChromium !== undefined,
  top: hasTerminal,
  command: true,
}

/** A time in which nothing may begin in some processes: ms since 1970. */
interface Drained {
  readonly pids: ReadonlySet<number>
  readonly from: number
  readonly to: number
}

const takers = async (chosen: Chosen): Promise<ProcessReport[]> =>
  chosenOf(await processesIn(room.space), chosen).filter(({ roles }) => roles.some((role) => role !== 'supervisor'))

/** Drains what is chosen in one way under load, and has it take again. */
async function drained(way: string, chosen: Chosen, load: Load): Promise<Drained> {
  const processes = await takers(chosen)
  const [asked, held] = [performance.now(), processes.reduce((sum, each) => sum + each.held, 0)]
  await WAYS[way]!(chosen)
  const [from, shown] = [Date.now(), performance.now()]
  expect((await takers(chosen)).map(({ state }) => state)).toEqual(processes.map(() => 'drained'))
  const before = load.answers.length
  await until(() => load.answers.length >= before + MEANWHILE, 'others answer')
  const to = Date.now()
  for (const { process } of processes) await order(room.space, process, 'resume', { by: 'the test' })
  await until(async () => (await takers(chosen)).every(({ state }) => state === 'running'), 'they take again')
  show(`${way} drains ${JSON.stringify(chosen)}`, {
    processes: processes.length,
    held,
    'shown after ms': Math.round(shown - asked),
  })
  return { pids: new Set(processes.map(({ pid }) => pid)), from, to }
}

/** Every request was answered with 200, and none began where nothing was left. */
async function check(load: Load, drains: readonly Drained[]): Promise<void> {
  const answers = await load.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  const began = answers.map(({ text }) => text.split(' ').map(Number) as [number, number])
  const wrong = drains.flatMap(({ pids, from, to }) =>
    began.filter(([pid, at]) => pids.has(pid) && at > from && at < to),
  )
  expect(wrong).toEqual([])
  // Each has worked, before or after.
  for (const { pids } of drains) expect(began.some(([pid]) => pids.has(pid))).toBe(true)
  show('all drains', { requests: answers.length, failed: 0 })
}

async function startWorkers(): Promise<string> {
  const app = write('app.mjs', APP)
  const two = start('worker', app, '--processes', '2', '--host-name', 'app-a', '--release', 'r1')
  const one = start('worker', app, '--host-name', 'app-b', '--release', 'r2')
  await Promise.all([two.line(/(?:worker process is ready[\s\S]*?){2}/), one.line(/worker process is ready/)])
  await until(async () => (await takers({ role: 'worker' })).length === 3, 'all have told of themselves')
  const all = await takers({ role: 'worker' })
  // Those that began within the same millisecond begin alike.
  const isOne = ({ process }: ProcessReport): boolean =>
    all.filter((each) => shortOf(each.process) === shortOf(process)).length === 1
  return all.find(isOne)!.process
}

test('no request fails while a process, a host and a release are drained', async () => {
  const gateway = start('gateway', '--port', '0', '--host-name', 'edge')
  const [[, url], process] = await Promise.all([gateway.line(/"url":"([^"]+)"/), startWorkers()])
  const load = startLoad(url!, { perSecond: PER_SECOND, method: 'GET', path: (n) => `/${n}` })
  const choices: readonly Chosen[] = [{ process }, { host: 'app-b' }, { release: 'r1' }]
  const ways = Object.keys(WAYS).filter((way) => isThere[way])
  const drains: Drained[] = []
  for (const [i, chosen] of choices.entries()) {
    for (const way of isLong ? ways : [ways[i % ways.length]!]) drains.push(await drained(way, chosen, load))
  }
  await check(load, drains)
})

const withBalancer = isLong && hasProgram('haproxy') ? test : test.skip
withBalancer('nor while the gateway of a host is drained behind a load balancer', async () => {
  const gateways: GatewayAt[] = []
  for (let n = 0; n < 2; n++) gateways.push({ port: await freePort(), adminPort: await freePort() })
  const running = gateways.map(({ port, adminPort }, n) =>
    start('gateway', '--port', `${port}`, '--admin-port', `${adminPort}`, '--host-name', `edge-${n}`),
  )
  await Promise.all(running.map((each) => each.line(/"msg":"listening"/)))
  if ((await takers({ role: 'worker' })).length === 0) await startWorkers()
  const { port, process, upAgain } = await startHaproxy(gateways, write)
  started.push(process)
  const load = startLoad(`http://127.0.0.1:${port}`, { perSecond: PER_SECOND, method: 'GET', path: (n) => `/${n}` })
  for (const way of Object.keys(WAYS).filter((each) => isThere[each])) {
    for (const n of gateways.keys()) {
      await drained(way, { host: `edge-${n}` }, load)
      await upAgain(n)
    }
  }
  await check(load, [])
})

failOnLeaks()
