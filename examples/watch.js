/** Watch: a loop over events that is told what it has missed, then pages of entries, and their removal. Run it: node examples/watch.js */
import { defineEntry, openSpace } from 'takespace'

const Order = defineEntry('Order')
const space = await openSpace('memory:')

// Three events are kept for a loop that is busy. What comes beyond is counted, in its place.
const orders = space.watch(Order, { max: 3 })
await space.writeAll([1, 2, 3, 4, 5].map((id) => Order({ id, note: `order ${id}` })))
for await (const { entry, missed, sequence } of orders) {
  console.log(entry ? `event ${sequence}: order ${entry.id}` : `missed: ${missed}, up to ${sequence}`)
  if (missed) break
}

// A cursor is a text: another process, or the next request, goes on with it.
let after
do {
  const page = space.contents(Order, { max: 2, fields: ['id'], after })
  const ids = []
  for await (const { id } of page) ids.push(id)
  console.log('page:', ids.join(' '))
  after = page.cursor
} while (after !== null)

for await (const order of space.contents(Order)) await order.remove()
console.log('left:', await space.count(Order))

await space.close()

/* Output:
event 1: order 1
event 2: order 2
event 3: order 3
missed: 2, up to 5
page: 1 2
page: 3 4
page: 5
left: 0
*/
