/** takespace, by the functions that its gateway and workers use: leases, claims and outcomes all kept. */
import { payload } from '../../../processes/payload.mjs'

export const about = {
  name: 'takespace, raw requests',
  server: 'redis',
  promise: 'kept in Redis; given to another worker if its worker dies',
  settings: 'one worker of 512 slots',
}

export async function worker({ url, name }, fail) {
  const { openSpace } = await import('../../../../dist/src/index.js')
  const { serveRequests } = await import('../../../../dist/src/request.js')
  const space = await openSpace(url, { name })
  await serveRequests(space, 'echo', 512, (taken) => {
    const response = { status: 200, reason: '', headers: [], body: taken.request.body }
    taken.complete(response).then((accepted) => accepted || fail(new Error('the space refused a response')), fail)
  })
}

export async function client({ url, name }) {
  const { openSpace } = await import('../../../../dist/src/index.js')
  const { sendRequest } = await import('../../../../dist/src/request.js')
  const space = await openSpace(url, { name })
  const head = { method: 'POST', target: '/', httpVersion: '1.1', headers: [], peer: '127.0.0.1', secure: false }
  // Jobs of the other queues are repeated after a crash, too.
  const terms = { service: 'echo', timeoutMs: 30_000, priority: 0, repeatable: true }
  return async () => {
    const text = payload()
    const { body } = await sendRequest(space, { ...head, body: Buffer.from(text) }, terms).response
    if (body.toString() !== text) throw new Error('the response is not the echo of its request')
  }
}
