/** Takes an entry and writes another one like it, so that the population stays: with a transaction around the two, or without. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'
import { payload } from './payload.mjs'

const POPULATION = 1_000
const Task = defineEntry('Task')
const space = await openSpace(options.url, { name: options.name })
let count = 0
const task = () => Task({ id: `t${++count}`, queue: 'a', note: payload() })
const waiting = Task.template({ queue: 'a' })
await space.writeAll(Array.from({ length: POPULATION }, task))

const FORMS = {
  async plain() {
    await space.take(waiting)
    await space.write(task())
  },
  together: () =>
    space.transact(async (tx) => {
      await space.take(waiting, { tx })
      void space.write(task(), { tx })
    }),
  awaited: () =>
    space.transact(async (tx) => {
      await space.take(waiting, { tx })
      await space.write(task(), { tx })
    }),
}
const form = FORMS[options.form]

await closedLoop(async () => {
  await form()
})
