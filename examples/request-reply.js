/** Request and reply: a program calls a function of a worker by name and waits for the result. Run it: node examples/request-reply.js */
import { createClient, openSpace } from 'takespace'
import { createWorker } from 'takespace/workers'

const tasks = {
  add: ({ a, b }) => a + b,
  divide: ({ a, b }) => {
    if (b === 0) throw new RangeError('division by zero')
    return a / b
  },
}

const space = await openSpace('memory:') // or redis://127.0.0.1:6379, and the worker in another process
await createWorker({ space, tasks }).start()
const client = createClient({ space })

console.log('3 + 4 =', await client.call('add', { a: 3, b: 4 }))

// The error of a task is the cause of the caller's error.
const error = await client.call('divide', { a: 1, b: 0 }).catch((reason) => reason)
console.log(error.code, '-', error.cause.name, error.cause.message)

// Many calls at once: each worker takes as many as it has room for.
const sums = await Promise.all([1, 2, 3, 4, 5].map((n) => client.call('add', { a: n, b: n }, { timeoutMs: 5_000 })))
console.log('sums:', sums)

await space.close()

/* Output:
3 + 4 = 7
TASK_FAILED - RangeError division by zero
sums: [ 2, 4, 6, 8, 10 ]
*/
