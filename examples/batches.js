/** Batches: write many entries in one call, look through them, and take them by the hundred. Run it: node examples/batches.js */
import { defineEntry, entryInfo, openSpace } from 'takespace'

const Row = defineEntry('Row')
const space = await openSpace('memory:')

// All of them or none; one lease each.
const rows = Array.from({ length: 250 }, (_, n) => Row({ n, table: n % 2 === 0 ? 'even' : 'odd' }))
const leases = await space.writeAll(rows, { leaseMs: 60_000, priority: 5 })
console.log('written:', leases.length)

// contents() takes nothing, and needs no more memory for a million entries than for a hundred.
let sum = 0
for await (const row of space.contents(Row.template({ table: 'odd' }))) sum += row.n
console.log('sum of the odd rows:', sum)

// takeAll waits for the first entry, then takes what is there. Several templates may be given.
const even = [Row.template({ table: 'even' })]
for (;;) {
  const batch = await space.takeAll(even, { max: 50, waitMs: 10 })
  if (batch.length === 0) break
  console.log('taken:', batch.length, 'first:', batch[0].n, 'priority:', entryInfo(batch[0]).priority)
}

await space.close()

/* Output:
written: 250
sum of the odd rows: 15625
taken: 50 first: 0 priority: 5
taken: 50 first: 100 priority: 5
taken: 25 first: 200 priority: 5
*/
