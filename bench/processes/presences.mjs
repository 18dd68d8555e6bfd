/** Many workers of takespace in one process, each with connections and a presence of its own, all echoing raw requests. */
import { openSpace } from '../../dist/src/index.js'
import { serveRequests } from '../../dist/src/request.js'
import { begin, options, tell } from './parent.mjs'

/** More connections at a time would wait for each other longer than a space may take to open. */
const AT_ONCE = 5
const fail = (error) => tell('failed', { why: String(error?.message ?? error) })

async function join() {
  const space = await openSpace(options.url, { name: options.name })
  await serveRequests(space, 'echo', options.concurrency, (taken) => {
    taken.complete({ status: 200, reason: '', headers: [], body: taken.request.body }).catch(fail)
  })
}

for (let left = options.workers; left > 0; left -= AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, join))
}
await begin()
