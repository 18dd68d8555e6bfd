/** Writes entries, each unlike all others, and no more. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'

const Job = defineEntry('Job')
const space = await openSpace(options.url, { name: options.name })
let count = 0

await closedLoop(async () => {
  const id = `j${++count}`
  await space.write(Job({ id, owner: 'writer', state: 'open' }))
})
