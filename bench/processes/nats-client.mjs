/** Sends requests over NATS and waits for each reply. */
import { connect, JSONCodec } from 'nats'
import { closedLoop, payload } from './loop.mjs'
import { options } from './parent.mjs'

const connection = await connect({ servers: options.url })
const codec = JSONCodec()

await closedLoop(async () => {
  const text = payload()
  const reply = await connection.request('echo', codec.encode({ text }), { timeout: 30_000 })
  if (codec.decode(reply.data).text !== text) throw new Error('the reply is not the echo of its request')
})
