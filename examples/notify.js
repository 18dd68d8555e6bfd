/** Notify: a listener hears of each entry that is written and matches a template; it takes nothing. Run it: node examples/notify.js */
import { defineEntry, openSpace } from 'takespace'

const Reading = defineEntry('Reading')
const space = await openSpace('memory:')

/** Events come in order. A sequence number that skips some says how many were missed. */
const heard = new Promise((resolve) => {
  void space.notify([Reading.template({ room: 'cellar' })], ({ entry, sequence }) => {
    console.log(`event ${sequence}: ${entry.room} ${entry.celsius} °C`)
    if (entry.celsius > 12) resolve()
  })
})

await space.write(Reading({ room: 'cellar', celsius: 11 }))
await space.write(Reading({ room: 'attic', celsius: 29 }))
await space.write(Reading({ room: 'cellar', celsius: 13 }))
await heard

// The entries are still there, for whoever takes them.
console.log('attic:', (await space.take(Reading.template({ room: 'attic' }))).celsius)
console.log('cellar:', (await space.takeAll([Reading.template({ room: 'cellar' })])).length)

await space.close()

/* Output:
event 1: cellar 11 °C
event 2: cellar 13 °C
attic: 29
cellar: 2
*/
