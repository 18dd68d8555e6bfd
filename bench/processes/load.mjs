/** The load generator: autocannon with keep-alive connections, every response checked. */
import autocannon from 'autocannon'
import { percentiles } from './loop.mjs'
import { begin, options, tell } from './parent.mjs'

const { target, expected } = options

/** Autocannon's own latencies are whole milliseconds, ours are not. */
async function load(duration, connections) {
  const took = []
  const instance = autocannon({ url: target, connections, duration, expectBody: expected, timeout: 10 })
  instance.on('response', (_client, _status, _bytes, ms) => took.push(ms))
  return { took, ...(await instance) }
}

/** All that is no 200 with the right body, timeouts and cut connections included. */
const errorsOf = ({ errors, mismatches, requests, statusCodeStats }) =>
  errors + mismatches + requests.total - (statusCodeStats['200']?.count ?? 0)

/** Each time that it is told to begin; the message may set connections and times anew. */
for (;;) {
  const { connections, warmUpMs, seconds } = { ...options, ...(await begin()) }
  const warm = await load(warmUpMs / 1000, connections)
  tell('measuring')
  const measured = await load(seconds, connections)
  const errors = errorsOf(warm) + errorsOf(measured)
  const { took, duration, statusCodeStats, timeouts, mismatches } = errorsOf(warm) > 0 ? warm : measured
  const firstError = errors > 0 ? JSON.stringify({ statusCodeStats, timeouts, mismatches }) : undefined
  tell('measured', { result: { perSecond: took.length / duration, ...percentiles(took), errors, firstError } })
}
