/** Writes an entry and takes it by its id, over and over: the client of the pairs. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'
import { payload } from './payload.mjs'

const Task = defineEntry('Task')
const space = await openSpace(options.url, { name: options.name })
let count = 0

await closedLoop(async () => {
  const id = `t${++count}`
  const note = payload()
  await space.write(Task({ id, note }))
  const task = await space.take(Task.template({ id }))
  if (task.id !== id || task.note !== note) throw new Error('took another entry than the one that was written')
})
