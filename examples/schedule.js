/** Schedules: a task that is due later, at an interval, or by a cron expression. Run it: node examples/schedule.js */
import { EventEmitter, once } from 'node:events'
import { createClient, createScheduler, openSpace } from 'takespace'
import { createWorker } from 'takespace/workers'

const beats = new EventEmitter()
const tasks = {
  greet: ({ name }) => `Good morning, ${name}`,
  beat: () => void beats.emit('beat'),
}

const space = await openSpace('memory:') // on Redis, BullMQ keeps what is due later
await createWorker({ space, tasks }).start()
await createScheduler({ space }).start()
const client = createClient({ space })

const ticket = await client.enqueue('greet', { name: 'Ada' }, { delayMs: 50 })
console.log((await ticket.status()).state)
console.log(await ticket.result({ waitMs: 30_000 }))

// A schedule has a name: scheduling it again changes it, so every process may do so at its start.
await client.schedule('heart', { everyMs: 20 }, 'beat')
for (let n = 1; n <= 3; n++) await once(beats, 'beat').then(() => console.log('beat', n))
console.log('unscheduled:', await client.unschedule('heart'))

const nightly = await client.schedule('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, 'greet', {
  name: 'Bo',
})
console.log('next night in the future:', nightly.next > new Date())

await space.close()

/* Output:
scheduled
Good morning, Ada
beat 1
beat 2
beat 3
unscheduled: true
next night in the future: true
*/
