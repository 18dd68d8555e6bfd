/** The space in twenty lines: write and take, templates, priorities, leases, transactions. The README shows this file. Run it: node examples/space.js */
import { defineEntry, openSpace } from 'takespace'

const Task = defineEntry('Task')
const space = await openSpace('memory:') // or redis://127.0.0.1:6379

// A taker may come first. It waits, and the write hands it the entry.
const waiting = space.take(Task.template({ type: 'resize' }))
await space.write(Task({ id: 1, type: 'resize', width: 300 }))
console.log('taken:', await waiting)

// Higher priority first, then oldest first.
await space.write(Task({ id: 2, type: 'mail' }))
await space.write(Task({ id: 3, type: 'mail' }), { priority: 10 })
console.log('first:', (await space.take(Task)).id)

// An entry stays as long as its lease. Who wrote it may renew or cancel it.
const lease = await space.write(Task({ id: 4, type: 'report' }), { leaseMs: 30_000 })
await lease.renew(60_000)
console.log('read:', await space.read(Task.template({ type: 'report' })))
await lease.cancel()

// Under a transaction, all or nothing: seen by others when it commits, back if it aborts or its process dies.
await space.transact(async (tx) => {
  await space.write(Task({ id: 5, type: 'bill' }), { tx })
  await space.write(Task({ id: 6, type: 'parcel' }), { tx })
})
const both = await space.takeAll([Task.template({ type: 'bill' }), Task.template({ type: 'parcel' })])
console.log('together:', both.length)
console.log('gone:', await space.take(Task.template({ type: 'report' }), { waitMs: 100 }))

await space.close()
