/** Part waiters: what a write costs while many wait for something else, and one that fires an event, beside one that nobody waits for. */
import { inTurns } from './turns.mjs'

const IN_FLIGHT = [1, 64]
const TURNS_PER_RUN = 4
const NONE = 'none waiting'
const MANY_TAKERS = '10,000 takers of something else'
const MANY_LISTENERS = '1,000 registrations for something else'
const EVENT = 'fires one event'

/** What the waiting process holds in each case. */
const CASES = {
  [NONE]: undefined,
  [MANY_TAKERS]: { takers: 10_000 },
  [MANY_LISTENERS]: { registrations: 1_000 },
  [EVENT]: { heard: true },
}

export const waiters = {
  name: 'waiters',
  title: 'writes a second while others wait, templates of three shapes',
  steps: ({ runs }) =>
    IN_FLIGHT.map((inFlight) => {
      const startOne = (bench, held) => start(bench, inFlight, held)
      return inTurns({ group: groupOf(inFlight), forms: CASES, turns: runs * TURNS_PER_RUN, start: startOne })
    }),
  baselines: [],
  costs: IN_FLIGHT.flatMap((inFlight) =>
    [
      [MANY_TAKERS, 1.5],
      [MANY_LISTENERS, 1.5],
      [EVENT, undefined],
    ].map(([of, atMost]) => ({ group: groupOf(inFlight), of, against: NONE, atMost })),
  ),
}

function groupOf(inFlight) {
  return `${inFlight} in flight`
}

async function start({ children, redis, name, warmUpMs, seconds }, inFlight, held) {
  const options = { url: redis.url, name, inFlight, warmUpMs, seconds }
  const waiting = held && (await children.fork('waiters-waiting', 'waiting', { ...options, ...held }))
  const driver = await children.fork('waiters-write', 'write', options)
  return { driver, roles: { client: [driver.pid], ...(waiting && { workers: [waiting.pid] }) } }
}
