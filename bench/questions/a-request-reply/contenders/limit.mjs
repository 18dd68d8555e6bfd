/** The limit of every design of two function calls a round trip: bare calls of ioredis that only publish, batched by event-loop turn. */
import { Redis } from 'ioredis'
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'the limit: bare batched function calls',
  server: 'redis',
  packages: ['ioredis'],
  promise: 'none: no lease, no record, no retry',
  settings: 'the function publishes its arguments, one a message; one call for all messages of an event-loop turn',
}

const [REQUESTS, REPLIES] = ['requests', 'replies']
const CODE = `#!lua name=bench_limit
redis.register_function('bench_limit', function(keys, args)
  redis.call('PUBLISH', keys[1], table.concat(args, '\\n'))
  return #args
end)`

/** Returns a function that sends a message with all others of this turn. @param hear is given the id and the data of each that arrives */
async function open(port, { sendTo, hearFrom, hear }, fail) {
  const [calls, pushes] = [new Redis(port, '127.0.0.1'), new Redis(port, '127.0.0.1')]
  await calls.call('FUNCTION', 'LOAD', 'REPLACE', CODE)
  pushes.on('message', (_channel, text) => {
    for (const message of text.split('\n')) {
      const at = message.indexOf(' ')
      hear(message.slice(0, at), JSON.parse(message.slice(at + 1)))
    }
  })
  await pushes.subscribe(hearFrom)
  let batch = []
  const flush = () => {
    calls.fcall('bench_limit', 1, sendTo, ...batch).catch(fail)
    batch = []
  }
  return (id, data) => {
    if (batch.push(`${id} ${JSON.stringify(data)}`) === 1) setImmediate(flush)
  }
}

export async function worker({ port }, fail) {
  const send = await open(port, { sendTo: REPLIES, hearFrom: REQUESTS, hear: (id, data) => send(id, data) }, fail)
}

export async function client({ port }, fail) {
  const waiting = new Map()
  const hear = (id, data) => {
    waiting.get(id)?.(data)
    waiting.delete(id)
  }
  const send = await open(port, { sendTo: REQUESTS, hearFrom: REPLIES, hear }, fail)
  let count = 0
  return echoed((data) => {
    const id = String(++count)
    send(id, data)
    return new Promise((resolve) => waiting.set(id, resolve))
  })
}
