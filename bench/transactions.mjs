/** Parts programs and workers: what a transaction adds to taking an entry and writing another one, in a program and in a handler. */
import { run } from './run.mjs'

const IN_FLIGHT = [1, 64]
const MOST = 1.3
const PLAIN = 'take, write'
const TOGETHER = 'transaction'
const AWAITED = 'transaction, write awaited'
const ANSWER = 'answer'
const BESIDE = 'write, answer'
const WITHIN = 'write in its transaction, answer'

const groupOf = (inFlight) => `${inFlight} in flight`
const costs = (list) =>
  IN_FLIGHT.flatMap((inFlight) =>
    list.map(([of, against, atMost]) => ({ group: groupOf(inFlight), of, against, atMost })),
  )

export const programs = {
  name: 'programs',
  title: 'an entry taken and another one written, a second',
  steps: (bench) => steps(bench, { [PLAIN]: 'plain', [TOGETHER]: 'together', [AWAITED]: 'awaited' }, program),
  baselines: [],
  costs: costs([
    [TOGETHER, PLAIN, MOST],
    [AWAITED, PLAIN, MOST],
  ]),
  elsewhere: [['', 'worker in a two-phase transaction ÷ without: 2.7–3 in time', '–', '–', '–']],
}

export const workers = {
  name: 'workers',
  title: 'requests answered a second, client process → worker process → client',
  steps: (bench) => steps(bench, { [ANSWER]: 'answer', [BESIDE]: 'beside', [WITHIN]: 'within' }, worker),
  baselines: [],
  costs: costs([
    [WITHIN, BESIDE, MOST],
    [WITHIN, ANSWER, undefined],
  ]),
}

/** Each form once, in turns forwards and backwards. */
function steps({ runs }, forms, start) {
  const round = (inFlight, n) => {
    const all = Object.entries(forms).map(([contender, form]) => ({
      contender,
      group: groupOf(inFlight),
      run: n,
      measure: (bench) => run(bench, () => start(bench, inFlight, form)),
    }))
    return n % 2 === 0 ? all : all.reverse()
  }
  return IN_FLIGHT.flatMap((inFlight) => Array.from({ length: runs }, (_, n) => round(inFlight, n)).flat())
}

async function program({ children, redis, warmUpMs, seconds }, inFlight, form) {
  const options = { url: redis.url, inFlight, warmUpMs, seconds, form }
  const driver = await children.fork(`programs-${form}`, 'take-write', options)
  return { driver, roles: { client: [driver.pid] } }
}

async function worker({ children, redis, warmUpMs, seconds }, inFlight, form) {
  const options = { url: redis.url, inFlight, warmUpMs, seconds, form }
  const served = await children.fork(`workers-${form}`, 'handler', options)
  const driver = await children.fork('workers-client', 'takespace-client', options)
  return { driver, roles: { client: [driver.pid], workers: [served.pid] } }
}
