/** Part updates: an entry changed in place, against the same entry taken and written again. */
import { inTurns } from './turns.mjs'

const MOST = 0.6
const TAKE_WRITE = 'take, write'
const UPDATE = 'update'
const TURNS_PER_RUN = 4

/** How many entries there are, and how many of them are changed at the same time. */
const GROUPS = [
  { group: 'one entry, 1 in flight', population: 1, inFlight: 1 },
  { group: '500 entries, 1 in flight', population: 500, inFlight: 1 },
  { group: '500 entries, 64 in flight', population: 500, inFlight: 64 },
]

export const updates = {
  name: 'updates',
  title: 'a counter found by its id and raised by one, a second',
  steps: ({ runs }) =>
    GROUPS.map(({ group, ...terms }) =>
      inTurns({
        group,
        forms: { [TAKE_WRITE]: 'take-write', [UPDATE]: 'update' },
        turns: runs * TURNS_PER_RUN,
        start: (bench, form) => start(bench, { ...terms, form }),
      }),
    ),
  baselines: [],
  costs: GROUPS.map(({ group }) => ({ group, of: UPDATE, against: TAKE_WRITE, atMost: MOST })),
}

async function start({ children, redis, name, warmUpMs, seconds }, terms) {
  const driver = await children.fork(`updates-${terms.form}`, 'counter', {
    url: redis.url,
    name,
    warmUpMs,
    seconds,
    ...terms,
  })
  return { driver, roles: { client: [driver.pid] } }
}
