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
const giving = setInterval(() => {
  const permits = Array.from({ length: PERMITS }, () => Permit({ of: 'mail' }))
  void space.writeAll(permits, { leaseMs: EVERY_MS })
}, EVERY_MS)

const began = performance.now()
const sent = await Promise.all(
  Array.from({ length: 8 }, (_, n) =>
    limited(() => ({ n, round: Math.floor((performance.now() - began) / EVERY_MS) })),
  ),
)
console.log('in order:', sent.map(({ n }) => n).join(' '))
console.log('took at least three rounds:', Math.max(...sent.map(({ round }) => round)) >= 3)

clearInterval(giving)
await space.close()

/* Output:
in order: 0 1 2 3 4 5 6 7
took at least three rounds: true
*/
