/** check:history: runs each fault profile with each seed, and says what it did, what it found, and which fault hit how often. */
import { parseArgs } from 'node:util'
import { FAULTS } from './faults.js'
import { run } from './run.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    faults: { type: 'string', default: 'none,kill,freeze,drop,restart' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    seeds: { type: 'string', default: '1' },
    defects: { type: 'boolean', default: false },
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
    for (const faults of profiles) {
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

const violated = await runAll()
console.log(violated === 0 ? 'no violation' : `${violated} violations`)
process.exit(violated === 0 ? 0 : 1)
