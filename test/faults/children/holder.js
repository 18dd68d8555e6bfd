// A worker process that holds what it takes: it says so, and when it has lost it. SIGUSR2 makes it answer. Arguments: url, concurrency.
import { openSpace } from '../../../dist/src/index.js'
import { serveRequests } from '../../../dist/src/request.js'

const [url, concurrency] = process.argv.slice(2)
const space = await openSpace(url)
const held = []

await serveRequests(space, 'web', Number(concurrency), async (taken) => {
  taken.onLost = () => console.log(`lost ${taken.request.target}`)
  if (!taken.repeatable && !(await taken.start())) return
  held.push(taken)
  console.log(`holds ${taken.request.target} attempt ${taken.attempt}`)
})

process.on('SIGUSR2', async () => {
  for (const taken of held.splice(0)) {
    const response = { status: 200, reason: 'OK', headers: [], body: Buffer.from('late') }
    console.log(`accepted ${await taken.complete(response)}`)
  }
})
process.on('SIGTERM', () => space.close())
console.log('ready')
