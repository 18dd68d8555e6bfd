/** Fails a test file that leaves a process behind. */
import { afterAll } from '@jest/globals'
import { endAll, survivors } from './watchdog.js'

/** Call it as the last statement of a test file: Jest runs `afterAll` hooks in the order in which they were written. */
export function failOnLeaks(): void {
  afterAll(() => {
    const left = survivors()
    endAll()
    if (left.length > 0) throw new Error(`left behind by this test file: ${left.join(', ')}`)
  })
}
