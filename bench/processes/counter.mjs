/** Raises counters by one, each in its turn: by a change in place, or by a take and a write. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'
import { payload } from './payload.mjs'

const Counter = defineEntry('Counter', { index: ['id'] })
const space = await openSpace(options.url, { name: options.name })
const ids = Array.from({ length: options.population }, (_, i) => `c${i}`)
await space.writeAll(ids.map((id) => Counter({ id, count: 0, note: payload() })))
let turn = 0
const next = () => Counter.template({ id: ids[turn++ % ids.length] })

const FORMS = {
  async 'take-write'() {
    const counter = await space.take(next())
    await space.write(Counter({ ...counter, count: counter.count + 1 }))
  },
  update: () => space.update(next(), { increment: { count: 1 } }),
}
const form = FORMS[options.form]

await closedLoop(async () => {
  await form()
})
