// The recorder of one process: each operation is one line before it begins and one when it has ended, in a file of its own. A line is one
// small synchronous append, so it is there before the next thing happens, whatever kills the process after that.
import { openSync, writeSync } from 'node:fs'

/** CLOCK_MONOTONIC: the same for all processes of one machine. Microseconds, which are exact in a number. */
const now = () => Number(process.hrtime.bigint() / 1000n)

/** What of the errors says that nothing was done; every other one leaves it open. */
const NOTHING_DONE = { LEASE_UNKNOWN: 'refused', TRANSACTION_ENDED: 'refused', SPACE_FULL: 'failed' }

export class Recorder {
  #file
  #process
  #ops = 0

  constructor(file, name) {
    this.#file = openSync(file, 'a')
    this.#process = name
  }

  #line(record) {
    writeSync(this.#file, `${JSON.stringify(record)}\n`)
  }

  /** Something that happens at one moment. */
  event(what, record) {
    this.#line({ is: 'event', p: this.#process, what, at: now(), ...record })
  }

  /**
   * Runs an operation between its two lines. `outcomeOf` tells what its result means: `{ out, … }`. `unreachable`: what SPACE_UNREACHABLE
   * means for it; repeatable operations may have run all the same. Answers what the operation did, or undefined if it failed.
   */
  async run(what, record, operate, outcomeOf = () => ({ out: 'ok' }), unreachable = 'unknown') {
    const op = `${this.#process}.${++this.#ops}`
    this.#line({ is: 'invoke', p: this.#process, op, what, at: now(), ...record })
    let result
    let outcome
    try {
      result = await operate()
      outcome = outcomeOf(result)
    } catch (error) {
      if (typeof error?.code !== 'string') throw error
      const { code } = error
      outcome = { out: NOTHING_DONE[code] ?? (code === 'SPACE_UNREACHABLE' ? unreachable : 'unknown'), code }
    }
    this.#line({ is: 'return', op, at: now(), ...outcome })
    return outcome.out === 'ok' ? result : undefined
  }
}
