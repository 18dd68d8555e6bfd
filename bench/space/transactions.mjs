/** Parts programs and workers: what a transaction adds to taking an entry and writing another one, in a program and in a handler. */
import { inTurns } from './turns.mjs'

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

const TURNS_PER_RUN = 4

function steps({ runs }, forms, start) {
  return IN_FLIGHT.map((inFlight) => {
    const startOne = (bench, form) => start(bench, inFlight, form)
    return inTurns({ group: groupOf(inFlight), forms, turns: runs * TURNS_PER_RUN, start: startOne })
  })
}

async function program({ children, redis, name, warmUpMs, seconds }, inFlight, form) {
  const options = { url: redis.url, name, inFlight, warmUpMs, seconds, form }
  const driver = await children.fork(`programs-${form}`, 'take-write', options)
  return { driver, roles: { client: [driver.pid] } }
}

async function worker({ children, redis, name, warmUpMs, seconds }, inFlight, form) {
  const options = { url: redis.url, name, inFlight, warmUpMs, seconds, form }
  const served = await children.fork(`workers-${form}`, 'handler', options)
  const driver = await children.fork('workers-client', 'contender', {
    ...options,
    contender: 'takespace-raw',
    side: 'client',
  })
  return { driver, roles: { client: [driver.pid], workers: [served.pid] } }
}
