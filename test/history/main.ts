/** check:history: each fault profile with each seed, then the planted defects; says what was done, what hit, and what was found. */
import { parseArgs } from 'node:util'
import { placeOf } from '../support/places.js'
import { CHECK_NAMES } from './checks/index.js'
import { DEFECTS, hunt, isCaught } from './defects.js'
import { FAULTS } from './faults.js'
import { run } from './run.js'

const { values } = parseArgs({
  options: {
    /** Of faults, for each run. */
    seconds: { type: 'string', default: '5' },
    /** `sentinels`, `cluster`: a primary with replicas behind Sentinels, or on a Cluster; a restart is a failover there. */
    on: { type: 'string' },
    /** Profiles, one run each; a+b strikes with both at once. */
    faults: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    /** So many, from that one on. */
    seeds: { type: 'string', default: '1' },
    /** Each seed runs one of the profiles, in turn, instead of all. */
    'in-turn': { type: 'boolean', default: false },
    /** Those whose name has this in it; none. */
    defects: { type: 'string', default: 'all' },
  },
})

const MOST_TOLD = 10
const seed = Number(values.seed)
const on = placeOf(values.on)
/** The link leads to one server, and the space is not always there. */
const own = Object.keys(FAULTS).filter((fault) => on === undefined || fault !== 'drop')
const profiles = (values.faults ?? `none,${own.join(',')}`)
  .split(',')
  .filter((profile) => profile !== '')
  .map((profile) => profile.split('+').filter((fault) => fault !== 'none'))
for (const fault of profiles.flat()) {
  if (!(fault in FAULTS)) throw new Error(`${fault} is no fault; there are ${Object.keys(FAULTS).join(', ')} and none.`)
}

/** Answers how many violations there were. */
async function runOne(seed: number, faults: readonly string[]): Promise<number> {
  const { history, hits, violations, executions, checkedInMs } = await run({
    seed,
    seconds: Number(values.seconds),
    faults,
    on,
  })
  const figures = { operations: history.operations.length, ...hits, executions, violations: violations.length }
  const list = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`)
  console.log(`seed ${seed}, ${faults.join('+') || 'none'}: ${list.join(', ')} (checked in ${checkedInMs} ms)`)
  for (const { check, what } of violations.slice(0, MOST_TOLD)) console.log(`  ${check}: ${what}`)
  if (violations.length > MOST_TOLD) console.log(`  and ${violations.length - MOST_TOLD} more`)
  return violations.length
}

/** A line of the table; answers whether it was caught. */
async function huntOne(defect: (typeof DEFECTS)[number]): Promise<boolean> {
  const caught = await hunt(defect, seed)
  const by = Object.entries(caught.by).map(([check, n]) => `${check} (${n})`)
  const verdict = isCaught(defect, caught) ? 'caught' : 'NOT CAUGHT'
  console.log(`${defect.name}: ${verdict}, by ${by.join(', ')}; ${caught.operations} operations, ${caught.seconds} s`)
  return isCaught(defect, caught)
}

console.log(`checks, in this order: ${CHECK_NAMES.join('; ')}; then a scan of Redis`)
let violations = 0
for (let of = seed; of < seed + Number(values.seeds); of++) {
  const own = values['in-turn'] ? [profiles[of % profiles.length]!] : profiles
  for (const faults of own) violations += await runOne(of, faults)
}
const hunted = DEFECTS.filter(({ name }) => values.defects === 'all' || name.includes(values.defects))
let caught = 0
for (const defect of hunted) if (await huntOne(defect)) caught++
console.log(`${violations} violations, ${caught} of ${hunted.length} planted defects caught`)
process.exit(violations === 0 && caught === hunted.length ? 0 : 1)
