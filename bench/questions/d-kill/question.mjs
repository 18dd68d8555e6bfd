/** Question D: a worker is killed under load, beside HAProxy with and without retries. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { measure } from '../../run.mjs'
import { answered } from '../../servers/listening.mjs'
import { SETUPS } from './setups.mjs'

const PER_SECOND = 200
const MS = 50
const WARM_UP_MS = 1_000
const KILL_MS = 1_000
const RESTART_MS = 2_000
const SECONDS = 4
const QUICK = ['takespace', 'HAProxy, retries']
const GROUP = 'kill -9 of one worker of three'

export const question = {
  letter: 'D',
  name: 'kill',
  title: 'What happens to requests when a worker is killed?',
  how: `Three workers, handlers of ${MS} ms, ${PER_SECOND} requests a second at an even pace, GET and POST in turns,
without \`Idempotency-Key\` unless stated. One worker is ended by \`kill -9\` after ${KILL_MS / 1000} s and is started again ${(RESTART_MS - KILL_MS) / 1000} s later; each run has ${SECONDS} s. _Failed_: answered
with an error or not at all. _Executed twice_: the handler has begun in two workers. _Longest extra wait_: of the requests
that succeed, beyond their ${MS} ms.`,
  abouts: SETUPS,
  packages: [],
  programs: ['haproxy'],
  columns: [
    { key: 'longestWait', title: 'longest extra wait, ms', digits: 0, spread: true },
    { key: 'failedGet', title: 'GETs failed', digits: 0 },
    { key: 'failedPost', title: 'POSTs failed', digits: 0 },
    { key: 'twiceGet', title: 'GETs executed twice', digits: 0 },
    { key: 'twicePost', title: 'POSTs executed twice', digits: 0 },
    { key: 'sent', title: 'sent', digits: 0 },
  ],
  chart: {
    kind: 'bars',
    key: 'longestWait',
    unit: 'longest extra wait of a request, ms',
    sorted: false,
    note: ({ failedGet, failedPost, twicePost }) =>
      `ms; failed ${failedGet.median} GET, ${failedPost.median} POST; POST twice ${twicePost.median}`,
  },
  contenders: ({ quick }) =>
    SETUPS.filter(({ name }) => !quick || QUICK.includes(name)).map((setup) => ({
      name: setup.name,
      measure: (bench, run) => measureOne(bench, setup, run),
    })),
}

async function measureOne(bench, setup, run) {
  await bench.redis.empty()
  const ledger = join(bench.folder, `ledger-${SETUPS.indexOf(setup)}-${run}`)
  const { target, kill, restart } = await setup.start(bench, ledger)
  await answered(target, (status) => status === 200)
  const terms = { targets: [target], perSecond: PER_SECOND, warmUpMs: WARM_UP_MS, seconds: SECONDS, isListed: true }
  const more = { kinds: [{ upTo: 1, ms: MS }], methods: ['GET', 'POST'], seed: 1, isKeyed: setup.isKeyed }
  const driver = await bench.children.fork('open-loop', 'open-loop', { ...terms, ...more })
  const measured = measure({ seconds: SECONDS }, { driver, roles: {} })
  measured.catch(() => {})
  await pause(WARM_UP_MS + KILL_MS)
  kill()
  await pause(RESTART_MS - KILL_MS)
  await restart()
  const { methods, failures, ...found } = await measured
  return { group: GROUP, ...found, failures, values: valuesOf(found, methods, failures, begunIn(ledger)) }
}

/** Returns id → how often a handler has begun with the request. */
function begunIn(ledger) {
  const begun = new Map()
  const text = existsSync(ledger) ? readFileSync(ledger, 'utf8') : ''
  for (const id of text.trim().split('\n')) begun.set(id, (begun.get(id) ?? 0) + 1)
  return begun
}

function valuesOf({ longestWait, unfinished }, methods, failures, begun) {
  const ids = Object.keys(methods)
  const twice = (method) => ids.filter((id) => methods[id] === method && begun.get(id) > 1).length
  const failed = (method) => failures.filter((failure) => failure.method === method).length
  return {
    longestWait,
    failedGet: failed('GET'),
    failedPost: failed('POST'),
    twiceGet: twice('GET'),
    twicePost: twice('POST'),
    unfinished,
    sent: ids.length,
  }
}
