/** Progress: a long task reports how far it is, and stops when it is cancelled. Run it: node examples/progress.js */
import { once } from 'node:events'
import { createClient, openSpace } from 'takespace'
import { createWorker } from 'takespace/workers'

const tasks = {
  convert: async ({ pages }, { progress, signal }) => {
    for (let page = 1; page <= pages; page++) {
      await progress({ page, of: pages })
      if (page === 3) await once(signal, 'abort') // it hangs
    }
  },
}

const space = await openSpace('memory:')
const worker = createWorker({ space, tasks })
await worker.start()

const client = createClient({ space })
const ticket = await client.enqueue('convert', { pages: 500 })

// Values that come faster than they can be passed on are skipped: the last one counts.
await ticket.onProgress(async ({ page, of }) => {
  if (page < 3) return
  console.log(`page ${page} of ${of}`)
  console.log('state:', (await ticket.status()).state)
  // The signal of the task fires, and nobody gets its result.
  console.log('cancelled:', await ticket.cancel())
})

const error = await ticket.result({ waitMs: 30_000 }).catch((reason) => reason)
console.log('result:', error.code)

await worker.stop()
await space.close()

/* Output:
page 3 of 500
state: running
cancelled: true
result: TICKET_CANCELLED
*/
