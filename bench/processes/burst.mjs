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
  let sleptMs = 0
  for (const { status, headers } of await Promise.all(responses)) {
    if (status !== 200) throw new Error(`a response has ${status}`)
    sleptMs += Number(headers[headers.indexOf('X-Slept-Ms') + 1])
  }
  return { tookMs: performance.now() - since, sleptMs }
}

for (;;) {
  const { count, workers } = { ...options, ...(await begin()) }
  await all(2 * workers)
  tell('measuring')
  const { tookMs, sleptMs } = await all(count)
  const ideal = sleptMs / workers / tookMs
  tell('measured', { result: { perSecond: (1000 * count) / tookMs, ideal, errors: 0 } })
}
