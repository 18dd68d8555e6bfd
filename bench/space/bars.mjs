/** What one thing costs over another, from runs that stood side by side, each beside the bar that it must not pass. */
import { median } from '../median.mjs'

/** Of Redis alone: what a call costs the one process that all share. */
const redisMicroseconds = ({ cores, perSecond }) => (1e6 * cores.redis) / perSecond

const microseconds = ({ cores, perSecond }) =>
  (1e6 * Object.values(cores).reduce((sum, value) => sum + value, 0)) / perSecond

/** Cost of each, in the runs that both have. `of` and `against` are contenders of one group. */
export function costOf(samples, { group, of, against, atMost }) {
  const valid = samples.filter((sample) => sample.group === group && sample.errors === 0)
  const pairs = valid
    .filter(({ contender }) => contender === of)
    .flatMap((ours) =>
      valid.filter(({ contender, run }) => contender === against && run === ours.run).map((theirs) => [ours, theirs]),
    )
  const over = (pick) => pairs.map(([ours, theirs]) => pick(ours) / pick(theirs))
  return {
    group,
    of,
    against,
    atMost,
    times: over(({ perSecond }) => 1 / perSecond),
    p50: over(({ p50 }) => p50),
    p99: over(({ p99 }) => p99),
    cpu: over(microseconds),
    redis: over(redisMicroseconds),
  }
}

const fixed = (values) => (values.length === 0 ? 'invalid' : median(values).toFixed(2))

export const COST_HEAD = ['', 'costs ÷', 'time, runs side by side', 'time', 'p50', 'p99', 'CPU', 'Redis CPU', 'bar']

export const costRow = ({ group, of, against, atMost, times, p50, p99, cpu, redis }) => [
  group,
  `${of} ÷ ${against}`,
  times.map((value) => value.toFixed(2)).join('  ') || '–',
  ...[times, p50, p99, cpu, redis].map(fixed),
  atMost === undefined ? '–' : `≤ ${atMost}`,
]
