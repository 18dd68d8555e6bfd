/** The results of a run of Mocha, and the tests whose results differ between two runs. */
import { readFileSync } from 'node:fs'

/** `passed`, `pending`, or the message of the failure, by the title of the test. */
export type Results = ReadonlyMap<string, string>

export interface Difference {
  readonly title: string
  readonly direct: string
  readonly through: string
}

interface Test {
  readonly fullTitle: string
  readonly duration?: number
  readonly err: { readonly message?: string }
}

/** Reads what Mocha's reporter `json` has written. Tests of the same title are numbered. */
export function readResults(file: string): Results {
  const { tests } = JSON.parse(readFileSync(file, 'utf8')) as { tests: Test[] }
  const results = new Map<string, string>()
  const times = new Map<string, number>()
  for (const { fullTitle, duration, err } of tests) {
    const time = (times.get(fullTitle) ?? 0) + 1
    times.set(fullTitle, time)
    const result = err.message ?? (duration === undefined ? 'pending' : 'passed')
    results.set(time === 1 ? fullTitle : `${fullTitle} (${time})`, result)
  }
  return results
}

const NOT_RUN = 'not run'

export function differencesOf(direct: Results, through: Results): Difference[] {
  const titles = new Set([...direct.keys(), ...through.keys()])
  return [...titles]
    .map((title) => ({ title, direct: direct.get(title) ?? NOT_RUN, through: through.get(title) ?? NOT_RUN }))
    .filter((each) => each.direct !== each.through)
}
