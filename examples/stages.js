/** Stages: each takes entries in one state and writes them on in the next; a crash between them loses nothing. Run it: node examples/stages.js */
import { defineEntry, openSpace } from 'takespace'

const Order = defineEntry('Order')
const space = await openSpace('memory:')
const stopped = new AbortController()

/** Takes and writes in one transaction: if this process dies in between, the order is back in the state that it was in. */
async function stage(from, work) {
  while (!stopped.signal.aborted) {
    await space.transact(async (tx) => {
      const order = await space.take(Order.template({ state: from }), { tx, signal: stopped.signal })
      await space.write(Order({ ...order, ...work(order) }), { tx })
    })
  }
}

const running = [
  stage('new', ({ amount }) => ({ state: amount > 0 ? 'checked' : 'rejected' })),
  stage('checked', ({ amount }) => ({ state: 'billed', total: amount * 1.19 })),
  stage('checked', ({ amount }) => ({ state: 'billed', total: amount * 1.19 })), // the slow stage has two
]

await space.writeAll([100, 200, -5, 300].map((amount, i) => Order({ id: i + 1, state: 'new', amount })))
const done = []
while (done.length < 4) {
  done.push(...(await space.takeAll([Order.template({ state: 'billed' }), Order.template({ state: 'rejected' })])))
}
for (const { id, state, total } of done.sort((a, b) => a.id - b.id)) console.log(id, state, total ?? '')

stopped.abort()
await Promise.allSettled(running)
await space.close()

/* Output:
1 billed 119
2 billed 238
3 rejected 
4 billed 357
*/
