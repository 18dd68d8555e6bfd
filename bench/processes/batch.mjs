/** Writes so many entries and takes them by one takeAll; only the taking counts. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'
import { payload } from './payload.mjs'

const { perCall } = options
const Item = defineEntry('Item')
const space = await openSpace(options.url)
let count = 0

const entriesPerSecond = (took) => (1000 * perCall * took.length) / took.reduce((sum, ms) => sum + ms, 0)

await closedLoop(async () => {
  await space.writeAll(Array.from({ length: perCall }, () => Item({ id: `i${++count}`, note: payload() })))
  const since = performance.now()
  const taken = await space.takeAll([Item], { max: perCall })
  if (taken.length !== perCall) throw new Error(`takeAll took ${taken.length} of ${perCall}`)
  return performance.now() - since
}, entriesPerSecond)
