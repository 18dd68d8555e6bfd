/** Sessions: what a request costs its session store, beside connect-redis with its own client on the same server, in turns. */
import { inTurns } from './turns.mjs'

const IN_FLIGHT = [1, 16, 64]
const FORMS = { takespace: { library: 'takespace' }, 'connect-redis': { library: 'connect-redis' } }
const LOCK = { 'takespace, with lock': { library: 'takespace', policy: 'lock' } }

const start = async ({ redis, children, warmUpMs, seconds, name, inFlight, kilobytes }, form) => {
  const options = { url: redis.url, warmUpMs, seconds, name, inFlight, kilobytes, ...form }
  const driver = await children.fork(`sessions-${form.library}`, 'session-store', options)
  return { driver, roles: { client: [driver.pid] } }
}

const step = (bench, inFlight, kilobytes, forms) =>
  inTurns({
    group: `${kilobytes} KiB, ${inFlight} in flight`,
    forms,
    turns: bench.runs,
    start: (around, form) => start({ ...around, inFlight, kilobytes }, form),
  })

export const sessions = {
  name: 'sessions',
  title: 'session store, load + save of a counter and 1 KiB, requests a second',
  steps: (bench) => [
    ...IN_FLIGHT.map((inFlight) => step(bench, inFlight, 1, { ...FORMS, ...LOCK })),
    step(bench, 16, 64, FORMS),
  ],
  baselines: ['connect-redis'],
}
