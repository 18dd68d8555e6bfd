// Tasks: functions that programs call by their names. `takespace worker examples/tasks.js` has them done.
import { giveUp, retryIn } from 'takespace/workers'

export const tasks = {
  /** Says how far it is while it works. */
  resize: async ({ width }, { progress, signal }) => {
    for (let percent = 25; percent < 100; percent += 25) {
      signal.throwIfAborted()
      await progress({ percent })
    }
    return { ok: true, area: width * width }
  },

  /** Succeeds at the third attempt. */
  flaky: (_input, { attempt }) => {
    if (attempt < 3) throw new Error(`attempt ${attempt} failed`)
    return `attempt ${attempt} succeeded`
  },

  /** Is busy first, and gives up on those who are not there. */
  invite: ({ user }, { attempt }) => {
    if (user === 'nobody') return giveUp('there is no such user')
    return attempt === 1 ? retryIn(100) : `${user} is invited`
  },
}
