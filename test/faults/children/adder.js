// A process that adds to one counter until SIGTERM: to the sum of all processes, and to a field of its own. Writes a line for each addition
// that the space has confirmed. Arguments: url, the name of its own field.
import { defineEntry, openSpace } from '../../../dist/src/index.js'

const Sum = defineEntry('Sum', { index: ['id'] })
const [url, own] = process.argv.slice(2)
const space = await openSpace(url)
let isOver = false
process.on('SIGTERM', () => {
  isOver = true
})
const sum = Sum.template({ id: 'all' })
while (!isOver) {
  const changed = await space.update(sum, { increment: { total: 1, [own]: 1 } })
  process.stdout.write(`${changed[own]}\n`)
}
await space.close()
