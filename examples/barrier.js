/** A barrier: programs wait until all of them have come, and then go on together. Run it: node examples/barrier.js */
import { defineEntry, openSpace } from 'takespace'

const Arrived = defineEntry('Arrived')
const Open = defineEntry('Open')
const space = await openSpace('memory:')
const MEMBERS = 3

/** The last one to come opens the barrier. Counting and opening are one transaction, so exactly one is the last. */
async function meet(name) {
  await space.transact(async (tx) => {
    const { count } = await space.take(Arrived, { tx })
    console.log(name, 'is number', count + 1)
    await space.write(Arrived({ count: count + 1 }), { tx })
    if (count + 1 === MEMBERS) await space.write(Open({}), { tx })
  })
  await space.read(Open)
}

await space.write(Arrived({ count: 0 }))
const gone = []
const members = ['ada', 'bo', 'cy'].map(async (name) => {
  await meet(name)
  gone.push(name)
})
await Promise.all(members)
console.log('on together:', gone.sort().join(', '))

await space.close()

/* Output:
ada is number 1
bo is number 2
cy is number 3
on together: ada, bo, cy
*/
