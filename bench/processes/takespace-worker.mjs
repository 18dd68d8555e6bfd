/** Takes requests from the space and echoes their bodies, each under a claim that a crash would give back. */
import { openSpace } from '../../dist/src/index.js'
import { serveRequests } from '../../dist/src/request.js'
import { begin, options, tell } from './parent.mjs'

const space = await openSpace(options.url, { name: options.name })
await serveRequests(space, 'echo', options.concurrency, (taken) => {
  taken.complete({ status: 200, reason: '', headers: [], body: taken.request.body }).then(
    (accepted) => accepted || tell('failed', { why: 'the space refused an answer' }),
    (error) => tell('failed', { why: error.message }),
  )
})
await begin()
