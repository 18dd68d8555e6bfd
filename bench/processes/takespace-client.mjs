/** Sends requests through the space and waits for each answer. Until there is client.call: by what the gateway itself uses. */
import { openSpace } from '../../dist/src/index.js'
import { sendRequest } from '../../dist/src/request.js'
import { closedLoop, payload } from './loop.mjs'
import { options } from './parent.mjs'

const space = await openSpace(options.url, { name: options.name })
const head = { method: 'POST', target: '/', httpVersion: '1.1', headers: [], peer: '127.0.0.1', secure: false }
// As long as the others' jobs may be tried again after a crash, so may ours.
const terms = { service: 'echo', timeoutMs: 30_000, priority: 0, repeatable: true }

await closedLoop(async () => {
  const text = payload()
  const { body } = await sendRequest(space, { ...head, body: Buffer.from(text) }, terms).response
  if (body.toString() !== text) throw new Error('the answer is not the echo of its request')
})
