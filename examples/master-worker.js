/** Master and workers: a large piece of work in parts, taken by whoever has room, and put together again. Run it: node examples/master-worker.js */
import { defineEntry, openSpace } from 'takespace'

const Part = defineEntry('Part')
const Sum = defineEntry('Sum')
const space = await openSpace('memory:')
const stopped = new AbortController()

/** A part and its result change places in one transaction: a worker that dies gives its part back. */
async function worker() {
  while (!stopped.signal.aborted) {
    await space.transact(async (tx) => {
      const { job, from, to } = await space.take(Part, { tx, signal: stopped.signal })
      let sum = 0
      for (let n = from; n < to; n++) sum += n
      await space.write(Sum({ job, sum }), { tx })
    })
  }
}

const workers = [worker(), worker(), worker()]

const STEP = 1_000
const parts = Array.from({ length: 100 }, (_, i) => Part({ job: 7, from: i * STEP, to: (i + 1) * STEP }))
await space.writeAll(parts)
let total = 0
for (let left = parts.length; left > 0; left--) total += (await space.take(Sum.template({ job: 7 }))).sum
console.log('the sum below 100,000 is', total)

stopped.abort()
await Promise.allSettled(workers)
await space.close()

/* Output:
the sum below 100,000 is 4999950000
*/
