// A process with plain takes that wait. Says `waiting as <presence>` when the space knows of all of them, and `took <n>` for each entry.
// Arguments: url, how many at a time, `again` if each take is followed by another.
import { defineEntry, openSpace } from '../../../dist/src/index.js'

const Task = defineEntry('Task')
const [url, count, again] = process.argv.slice(2)
const space = await openSpace(url)

async function take() {
  do console.log(`took ${(await space.take(Task)).n}`)
  while (again)
}

for (let i = 0; i < Number(count); i++) take().catch(() => {})
// What was asked before this is answered was registered before it.
await space.readIfExists(Task.template({ n: -1 }))
process.on('SIGTERM', () => space.close())
console.log(`waiting as ${space.presence}`)
