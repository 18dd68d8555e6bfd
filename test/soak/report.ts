/** The table of a soak, and which of its bounds were passed. */
import { type Sample, slope, slopeAtEqualDescriptors } from './samples.js'
import { keysThatDiffer, listed, type Soak } from './soak.js'

/** MB in a minute, over the second half of the run. */
const STEEPEST = 1
/** In less time what is measured is how code warms up and where the garbage collector is, and not what leaks. */
const SHORTEST_FIT_SECONDS = 600

const MB = 1_048_576
const mb = (bytes: number): string => (bytes / MB).toFixed(1)

/** What is looked at: memory after a garbage collection, and what the system says that the process takes. */
const MEMORIES: Readonly<Record<string, (sample: Sample) => number>> = {
  heap: ({ heap }) => heap,
  resident: ({ resident }) => resident,
}

export function report(soak: Soak, seconds: number): { lines: string[]; wrong: string[] } {
  const { samples, before, after, struck, account, program } = soak
  const wrong = [...soak.wrong]
  const rows = [
    [
      'process',
      'samples',
      ...Object.keys(MEMORIES).flatMap((name) => [`${name} MB`, 'MB/min', 'at equal descriptors']),
      'descriptors',
    ],
  ]
  for (const [name, own] of samples) {
    const [first, last] = [before.samples.get(name)!, after.samples.get(name)!]
    const figures = Object.entries(MEMORIES).flatMap(([memory, of]) => {
      const perMinute = slopeAtEqualDescriptors(own, of) / MB
      if (seconds >= SHORTEST_FIT_SECONDS && !(perMinute < STEEPEST)) {
        wrong.push(
          `${name}: its ${memory} grows by ${perMinute.toFixed(2)} MB a minute at an equal number of descriptors`,
        )
      }
      return [`${mb(of(first))} → ${mb(of(last))}`, (slope(own, of) / MB).toFixed(2), perMinute.toFixed(2)]
    })
    if (last.descriptors > first.descriptors) {
      wrong.push(`${name}: ${first.descriptors} descriptors before, ${last.descriptors} after`)
    }
    rows.push([name, String(own.length), ...figures, `${first.descriptors} → ${last.descriptors}`])
  }
  wrong.push(...keysThatDiffer(before, after))
  const keys = samples.get('Redis')!.map((sample) => sample.keys!)
  const { requests, statuses, executions, longestMs, exhausted, busyKills } = account
  const lines = [
    ...table(rows),
    '',
    `faults: ${listed(struck)}; ${busyKills} kills struck a worker at work`,
    `requests: ${requests}, ${listed(statuses)}; executions ${executions}, longest wait ${longestMs} ms; ${exhausted} whose workers all died`,
    `kills of Redis that found acknowledged work not yet in its file, or had seen a sync put off: ${soak.unwrittenAtKill}`,
    `program: ${JSON.stringify(program)}`,
    `keys: ${before.keys.length} before, ${after.keys.length} after, none when all had left; ${soak.strays} large bodies whose entry was never written were removed; under load ${Math.min(...keys)} to ${Math.max(...keys)}`,
  ]
  return { lines, wrong }
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const all = [head, head.map(() => '---'), ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))
  return all.map(
    (row) =>
      `| ${row.map((cell, i) => (cell === '---' ? '-'.repeat(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`,
  )
}
