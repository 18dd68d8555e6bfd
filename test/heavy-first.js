/** The order of test files: those with many processes first, so that the workers of Jest end together also without a record of past runs. */
import TestSequencer from '@jest/test-sequencer'

/** Folders by how long their files take; what is not among these comes last. */
const HEAVY = ['soak', 'faults', 'whole', 'history']

const rank = ({ path }) => {
  const at = HEAVY.findIndex((folder) => path.includes(`/test/${folder}/`))
  return at === -1 ? HEAVY.length : at
}

// The package is CommonJS.
export default class HeavyFirst extends (TestSequencer.default ?? TestSequencer) {
  /** Within a folder Jest's own order: by past runs, else by size. */
  sort(tests) {
    return super.sort(tests).sort((a, b) => rank(a) - rank(b))
  }
}
