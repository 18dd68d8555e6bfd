// A process with plain takes that wait. Says `waiting` when the space knows of all of them. Arguments: url, how many.
import { defineEntry, openSpace } from '../../../dist/src/index.js'

const Task = defineEntry('Task')
const [url, count] = process.argv.slice(2)
const space = await openSpace(url)

for (let i = 0; i < Number(count); i++) {
  space.take(Task).then(
    (task) => console.log(`took ${task.n}`),
    () => {},
  )
}
// What was asked before this is answered was registered before it.
await space.readIfExists(Task.template({ n: -1 }))
process.on('SIGTERM', () => space.close())
console.log('waiting')
