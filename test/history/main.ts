/** check:history: runs each fault profile with each seed, and says what it did, what it found, and which fault hit how often. */
import { parseArgs } from 'node:util'
import { DEFECTS, hunt, isCaught } from './defects.js'
import { FAULTS } from './faults.js'
import { run } from './run.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    faults: { type: 'string', default: 'none,kill,freeze,drop,restart' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    /** So many, from that one on. */
    seeds: { type: 'string', default: '1' },
    /** Each seed runs one of the profiles, in turn, instead of all. */
    'in-turn': { type: 'boolean', default: false },
    /** Hunts the planted defects instead; or those whose name has this in it. */
    defects: { type: 'boolean', default: false },
    defect: { type: 'string' },
  },
})

const profiles = values.faults.split(',').map((profile) => profile.split('+').filter((fault) => fault !== 'none'))
for (const fault of profiles.flat()) {
  if (!(fault in FAULTS))
    throw new Error(`${fault} is no fault; there are ${Object.keys(FAULTS).join(', ')}, none; a+b is both at once.`)
}

const MOST_TOLD = 10

async function runAll(): Promise<number> {
  let violated = 0
  for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.seeds); seed++) {
    const own = values['in-turn'] ? [profiles[seed % profiles.length]!] : profiles
    for (const faults of own) {
      const profile = faults.join('+') || 'none'
      const { history, hits, violations, executions, checkedInMs } = await run({
        seed,
        seconds: Number(values.seconds),
        faults,
      })
      const figures = { operations: history.operations.length, ...hits, executions, violations: violations.length }
      const list = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`)
      console.log(`seed ${seed}, ${profile}: ${list.join(', ')} (checked in ${checkedInMs} ms)`)
      for (const { check, what } of violations.slice(0, MOST_TOLD)) console.log(`  ${check}: ${what}`)
      if (violations.length > MOST_TOLD) console.log(`  and ${violations.length - MOST_TOLD} more`)
      violated += violations.length
    }
  }
  return violated
}

/** A table of the planted defects; answers how many were not caught. */
async function huntAll(): Promise<number> {
  let missed = 0
  for (const defect of DEFECTS.filter(({ name }) => name.includes(values.defect ?? ''))) {
    const caught = await hunt(defect, Number(values.seed))
    const by = Object.entries(caught.by).map(([check, n]) => `${check} (${n})`)
    if (!isCaught(defect, caught)) missed++
    const verdict = isCaught(defect, caught) ? 'caught' : 'NOT CAUGHT'
    console.log(`${defect.name} | ${verdict} | ${by.join(', ')} | ${caught.operations} operations, ${caught.seconds} s`)
    if (values.defect)
      for (const { check, what } of caught.last.violations.slice(0, MOST_TOLD)) console.log(`  ${check}: ${what}`)
  }
  return missed
}

const wanting = await (values.defects || values.defect ? huntAll() : runAll())
console.log(
  wanting === 0 ? 'all is well' : `${wanting} ${values.defects || values.defect ? 'not caught' : 'violations'}`,
)
process.exit(wanting === 0 ? 0 : 1)
