/** Question E: does the cost of an operation grow with workers, resident entries, waiting takers and sessions? */
import { GROUP as ENTRIES, entries } from './entries.mjs'
import { GROUP as IDEAL, ideal } from './ideal.mjs'
import { GROUP as SESSIONS, sessions } from './sessions.mjs'
import { GROUP as TAKERS, takers } from './takers.mjs'
import { GROUPS as WORKERS, workers } from './workers.mjs'

const PARTS = { ideal, workers, entries, takers, sessions }
const QUICK = ['ideal', 'workers']

const bound = (group, of, against, target) => ({ group, of, against, key: 'redis', target })

export const question = {
  letter: 'E',
  name: 'growth',
  title: 'Does the cost of an operation grow with what is there already?',
  how: `takespace alone. _Share of the ideal_: 20 requests of 50 ms per worker and second are sent at once to worker processes
that take one at a time; the ideal is the sum of their times ÷ workers. The other groups give the processor time of an operation, of
Redis and of all processes, while much else is resident. The sizes stand at the same time in spaces of their own and are
measured in turns. Sizes of workers stand one after the other, and their costs are those beyond the renewals of idle
workers, which have a column of their own. Resident entries have three indexed fields; resident sessions are
copies that Redis makes of a saved one. Two processes hold all workers. Each measurement takes half of the seconds stated
below.`,
  packages: [],
  groups: [IDEAL, ...WORKERS, ENTRIES, TAKERS, SESSIONS],
  columns: [
    { key: 'perSecond', title: 'per second', digits: 0, spread: true },
    { key: 'p50', title: 'p50 ms', digits: 2 },
    { key: 'ideal', title: 'share of the ideal, %', digits: 1 },
    { key: 'redis', title: 'Redis µs each', digits: 1, spread: true },
    { key: 'cpu', title: 'CPU µs each', digits: 1 },
    { key: 'idle', title: 'Redis while idle, % of a core', digits: 1 },
  ],
  ratios: [
    ...WORKERS.flatMap((group) => [bound(group, '200', '2', '≤ 1.2'), bound(group, '1,000', '2')]),
    bound(ENTRIES, '1,000,000', '1,000', '≤ 1.2'),
    bound(TAKERS, '10,000', '0'),
    bound(SESSIONS, '1,000,000', '1,000'),
  ],
  chart: {
    kind: 'bars',
    key: 'redis',
    unit: 'Redis µs per operation (first panel: share of the ideal, %)',
    sorted: false,
    isOurs: true,
    keyOf: (group) => (group === IDEAL ? 'ideal' : 'redis'),
  },
  /** Each part measures its sizes in turns, `runs` times. */
  runs: () => 1,
  contenders: ({ quick }) =>
    Object.entries(PARTS)
      .filter(([name]) => !quick || QUICK.includes(name))
      .map(([name, part]) => ({
        name,
        measure: (bench) => part({ ...bench, seconds: Math.max(1, bench.seconds / 2) }),
      })),
}
