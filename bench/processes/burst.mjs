/** Requests that are sent at once, each of which its worker takes some time for; measures until the last is answered. */
import { openSpace } from '../../dist/src/index.js'
import { sendRequest } from '../../dist/src/request.js'
import { begin, options, tell } from './parent.mjs'

const space = await openSpace(options.url, { name: options.name })
const head = {
  method: 'GET',
  target: `/?ms=${options.ms}`,
  httpVersion: '1.1',
  headers: [],
  peer: '127.0.0.1',
  secure: false,
}
const terms = { service: 'web', timeoutMs: 60_000, priority: 0, repeatable: true }

async function all(count) {
  const since = performance.now()
  const responses = Array.from(
    { length: count },
    () => sendRequest(space, { ...head, body: Buffer.alloc(0) }, terms).response,
  )
  for (const { status } of await Promise.all(responses)) if (status !== 200) throw new Error(`a response has ${status}`)
  return performance.now() - since
}

for (;;) {
  const { count, workers } = { ...options, ...(await begin()) }
  await all(2 * workers)
  tell('measuring')
  const tookMs = await all(count)
  const ideal = (Math.ceil(count / workers) * options.ms) / tookMs
  tell('measured', { result: { perSecond: (1000 * count) / tookMs, ideal, errors: 0 } })
}
