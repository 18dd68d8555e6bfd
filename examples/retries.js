/** Retries: an enqueued task is tried again with a back-off, until it succeeds or gives up. Run it: node examples/retries.js */
import { createClient, createScheduler, openSpace } from 'takespace'
import { createWorker, giveUp } from 'takespace/workers'

const tasks = {
  charge: ({ order }, { attempt }) => {
    console.log(`order ${order}, attempt ${attempt}`)
    if (order === 'unknown') return giveUp('there is no such order')
    if (attempt < 3) throw new Error('the payment service is busy')
    return { order, paid: true }
  },
}

const space = await openSpace('memory:')
await createWorker({ space, tasks }).start()
// Hands out tasks that are due later: delayed ones, scheduled ones and further attempts.
await createScheduler({ space }).start()

const client = createClient({ space })
const retries = { attempts: 5, backoff: { kind: 'exponential', delayMs: 20 } }
const ticket = await client.enqueue('charge', { order: 'A-1' }, retries)
console.log(await ticket.result({ waitMs: 30_000 }))

const hopeless = await client.enqueue('charge', { order: 'unknown' }, retries)
const error = await hopeless.result({ waitMs: 30_000 }).catch((reason) => reason)
console.log(error.code, '-', error.cause.message)

await space.close()

/* Output:
order A-1, attempt 1
order A-1, attempt 2
order A-1, attempt 3
{ order: 'A-1', paid: true }
order unknown, attempt 1
TASK_FAILED - there is no such order
*/
