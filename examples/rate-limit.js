/** A rate limit for all programs of a space: a call takes a permit, and permits come back by the clock. Run it: node examples/rate-limit.js */
import { defineEntry, openSpace } from 'takespace'

const Permit = defineEntry('Permit')
const space = await openSpace('memory:')

const PERMITS = 3
const EVERY_MS = 200

/** Waits its turn: waiting takers are served in the order in which they came. */
async function limited(work) {
  await space.take(Permit.template({ of: 'mail' }))
  return work()
}

/** One program gives permits out; each lives until the next ones come, so they do not pile up. */
let round = 0
const giving = setInterval(() => {
  round++
  const permits = Array.from({ length: PERMITS }, () => Permit({ of: 'mail' }))
  void space.writeAll(permits, { leaseMs: EVERY_MS })
}, EVERY_MS)

const mails = Array.from({ length: 8 }, (_, n) => limited(() => `mail ${n} in round ${round}`))
for (const sent of mails) console.log(await sent)

clearInterval(giving)
await space.close()

/* Output:
mail 0 in round 1
mail 1 in round 1
mail 2 in round 1
mail 3 in round 2
mail 4 in round 2
mail 5 in round 2
mail 6 in round 3
mail 7 in round 3
*/
