/** Leases: an entry that says "I am here" and is gone soon after its process. Run it: node examples/leases.js */
import { setTimeout as pause } from 'node:timers/promises'
import { defineEntry, openSpace } from 'takespace'

const Member = defineEntry('Member')
const space = await openSpace('memory:')

const members = async () => {
  const names = []
  for await (const { name } of space.contents(Member)) names.push(name)
  return names.sort().join(', ')
}

// Each member writes an entry with a short lease and keeps it alive while it runs.
const [ada, bo] = await space.writeAll([Member({ name: 'ada' }), Member({ name: 'bo' })], { leaseMs: 2_000 })
const lost = []
space.keepAlive([ada], { onLost: (_lease, { code }) => lost.push(code) })
const keepBo = space.keepAlive([bo])
console.log('here:', await members())

// As if the process of bo had died: nobody renews its lease.
keepBo.stop()
while (await space.readIfExists(Member.template({ name: 'bo' }))) await pause(100)
console.log('here:', await members())

// Somebody removes ada: its process is told that its lease is lost.
await space.take(Member.template({ name: 'ada' }))
while (lost.length === 0) await pause(100)
console.log('ada hears:', lost[0])

await space.close()

/* Output:
here: ada, bo
here: ada
ada hears: LEASE_UNKNOWN
*/
