/** Answers requests over NATS, in a queue group. */
import { connect, JSONCodec } from 'nats'
import { begin, options, tell } from './parent.mjs'

const connection = await connect({ servers: options.url })
const codec = JSONCodec()
connection.subscribe('echo', {
  queue: 'workers',
  callback: (error, message) => {
    if (error) tell('failed', { why: error.message })
    else message.respond(codec.encode(codec.decode(message.data)))
  },
})
await connection.flush()
await begin()
