/** A saga: steps in several services, and if one fails, what the earlier ones did is undone in reverse. Run it: node examples/saga.js */
import { createClient, openSpace } from 'takespace'
import { createWorker } from 'takespace/workers'

const space = await openSpace('memory:')
const client = createClient({ space })

const told = (text) => async () => console.log(text)
const post = async ({ to }) => {
  if (to === 'nowhere') throw new Error('there is no such address')
  console.log(`tickets posted to ${to}`)
}
const booking = { reserve: told('seats reserved'), release: told('seats released') }
const payment = { charge: told('card charged'), refund: told('card refunded') }
await createWorker({ space, tasks: { ...booking, ...payment, post } }).start()

const STEPS = [['reserve', 'release'], ['charge', 'refund'], ['post']]

async function order(input) {
  const undos = []
  for (const [step, undo] of STEPS) {
    try {
      await client.call(step, input, { timeoutMs: 5_000 })
      undos.unshift(undo)
    } catch (error) {
      console.log(`${step}: ${error.cause.message}`)
      // Enqueued, not called: a step that has begun is undone also if this process dies.
      for (const task of undos) await (await client.enqueue(task, input)).result({ waitMs: 5_000 })
      return false
    }
  }
  return true
}

console.log('ordered:', await order({ to: 'nowhere' }))
await space.close()

/* Output:
seats reserved
card charged
post: there is no such address
card refunded
seats released
ordered: false
*/
