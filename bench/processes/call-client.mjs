/** Calls a task and waits for its result, by the client that users have. */
import { createClient, openSpace } from '../../dist/src/index.js'
import { closedLoop, payload } from './loop.mjs'
import { options } from './parent.mjs'

const space = await openSpace(options.url)
const client = createClient({ space })

await closedLoop(async () => {
  const text = payload()
  const result = await client.call('echo', { text })
  if (result.text !== text) throw new Error('the result is not the echo of its call')
})
