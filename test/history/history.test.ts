/** The short form of `npm run check:history`: one seed for each two faults, and the planted defects that are quick to catch. */
import { describe, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { DEFECTS, hunt } from './defects.js'
import { FAULTS } from './faults.js'
import { run } from './run.js'

const SECONDS = 3
/** Two at a time, to start half as many processes. */
const PAIRS = [
  ['kill', 'drop'],
  ['freeze', 'restart'],
]
const SEED = 1

describe('many processes write, read, take, renew, complete and commit', () => {
  test('each fault is among them', () => expect(PAIRS.flat().sort()).toEqual(Object.keys(FAULTS).sort()))

  for (const faults of PAIRS) {
    test(`while faults strike: ${faults.join(' and ')}`, async () => {
      const { history, violations, executions } = await run({ seed: SEED, seconds: SECONDS, faults })
      expect(violations).toEqual([])
      expect(history.operations.length).toBeGreaterThan(500)
      expect(executions).toBeGreaterThan(50)
    })
  }
})

describe('a planted defect is caught', () => {
  for (const defect of DEFECTS.filter(({ isQuick }) => isQuick)) {
    test(defect.name, async () => {
      const { by } = await hunt(defect, SEED)
      expect(defect.caughtBy.filter((check) => check in by)).not.toEqual([])
    })
  }
})

failOnLeaks()
