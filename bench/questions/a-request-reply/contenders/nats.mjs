/** NATS: `request` to a queue group. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'NATS',
  server: 'nats',
  packages: ['nats'],
  promise: 'kept nowhere; lost if its worker dies, the client times out',
  settings: 'core NATS, one subscriber of a queue group',
}

export async function worker({ url }, fail) {
  const { connect, JSONCodec } = await import('nats')
  const connection = await connect({ servers: url })
  const codec = JSONCodec()
  const callback = (error, message) => {
    if (error) fail(error)
    else message.respond(codec.encode(codec.decode(message.data)))
  }
  connection.subscribe('echo', { queue: 'workers', callback })
  await connection.flush()
}

export async function client({ url }) {
  const { connect, JSONCodec } = await import('nats')
  const connection = await connect({ servers: url })
  const codec = JSONCodec()
  return echoed(async (data) => {
    const reply = await connection.request('echo', codec.encode(data), { timeout: 30_000 })
    return codec.decode(reply.data)
  })
}
