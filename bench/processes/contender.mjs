/** One side of a contender of request/reply: its worker, or its client in a closed loop. */
import { closedLoop } from './loop.mjs'
import { begin, options, tell } from './parent.mjs'

const contender = await import(
  new URL(`../questions/a-request-reply/contenders/${options.contender}.mjs`, import.meta.url)
)
const fail = (error) => tell('failed', { why: String(error?.message ?? error) })

if (options.side === 'worker') {
  await contender.worker(options, fail)
  await begin()
} else {
  await closedLoop(await contender.client(options, fail))
}
