// Tasks for fault tests: each run is one line in the ledger, written before anything else happens.
import { appendFileSync } from 'node:fs'
import { giveUp } from 'takespace/workers'

const note = (line) => appendFileSync(process.env.LEDGER, `${line}\n`)

export const tasks = {
  note: (input, { attempt }) => note(`${input} ${attempt} ${process.pid} ${Date.now()}`),
  flaky: (input, { attempt }) => {
    note(`${input} ${attempt} ${process.pid} ${Date.now()}`)
    if (attempt < 3) throw Object.assign(new Error(`attempt ${attempt} failed`), { code: 'E_FLAKY' })
    return attempt
  },
  never: (input, { attempt }) => {
    note(`${input} ${attempt} ${process.pid} ${Date.now()}`)
    return giveUp('there is no such user')
  },
  /** As a mailer does: one in ten bounces. */
  mail: async ({ n }, { progress }) => {
    await progress({ sent: n })
    if (n % 10 === 0) throw Object.assign(new Error(`mailbox ${n} is full`), { code: 'E_FULL' })
    return { delivered: n }
  },
  kill: (input, { attempt }) => {
    note(`${input} ${attempt} ${process.pid} ${Date.now()}`)
    process.kill(process.pid, 'SIGKILL')
    return new Promise(() => {})
  },
}
