/** The limit of every design of two function calls a round trip: bare calls of ioredis that only publish, batched by event-loop turn. */
import { Redis } from 'ioredis'
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'the limit: bare batched function calls',
  server: 'redis',
  packages: ['ioredis'],
  promise: 'none: no lease, no record, no retry',
  settings: 'the function publishes its arguments; one call for the requests, and one for the replies, of a turn',
}

const [REQUESTS, REPLIES] = ['requests', 'replies']
const CODE = `#!lua name=bench_limit
redis.register_function('bench_limit', function(keys, args) redis.call('PUBLISH', keys[1], args[1]) return 1 end)`

/** Returns a function that sends `[id, data]` with all others of this turn. @param hear is given each `[id, data]` that arrives */
async function open(port, { sendTo, hearFrom, hear }, fail) {
  const [calls, pushes] = [new Redis(port, '127.0.0.1'), new Redis(port, '127.0.0.1')]
  await calls.call('FUNCTION', 'LOAD', 'REPLACE', CODE)
  pushes.on('message', (_channel, text) => JSON.parse(text).forEach(hear))
  await pushes.subscribe(hearFrom)
  let batch = []
  const flush = () => {
    const text = JSON.stringify(batch)
    batch = []
    calls.fcall('bench_limit', 1, sendTo, text).catch(fail)
  }
  return (item) => {
    if (batch.push(item) === 1) setImmediate(flush)
  }
}

export async function worker({ port }, fail) {
  const send = await open(port, { sendTo: REPLIES, hearFrom: REQUESTS, hear: (item) => send(item) }, fail)
}

export async function client({ port }, fail) {
  const waiting = new Map()
  const hear = ([id, data]) => {
    waiting.get(id)?.(data)
    waiting.delete(id)
  }
  const send = await open(port, { sendTo: REQUESTS, hearFrom: REPLIES, hear }, fail)
  let count = 0
  return echoed(
    (data) =>
      new Promise((resolve) => {
        waiting.set(++count, resolve)
        send([count, data])
      }),
  )
}
