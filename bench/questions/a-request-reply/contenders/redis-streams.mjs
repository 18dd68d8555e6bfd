/** Redis streams by hand: XADD, a consumer group, replies in a stream of the client, read and acknowledged in batches. */
import { Redis } from 'ioredis'
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'Redis streams by hand',
  server: 'redis',
  packages: ['ioredis'],
  promise: 'kept in Redis; needs a reader of XPENDING, not written here, that gives it to another worker',
  settings: 'ioredis with auto-pipelining, up to 64 messages a read, streams trimmed to about 10,000',
}

const [REQUESTS, REPLIES, GROUP] = ['requests', 'replies', 'workers']
const TRIM = ['MAXLEN', '~', 10_000]
const connect = (port) => new Redis(port, '127.0.0.1', { enableAutoPipelining: true })

export async function worker({ port }, fail) {
  const [reads, writes] = [connect(port), connect(port)]
  await writes.xgroup('CREATE', REQUESTS, GROUP, '$', 'MKSTREAM')
  const serve = async () => {
    for (;;) {
      const found = await reads.xreadgroup('GROUP', GROUP, 'w', 'COUNT', 64, 'BLOCK', 5_000, 'STREAMS', REQUESTS, '>')
      const messages = found?.[0][1] ?? []
      for (const [, [, id, , data]] of messages) {
        writes.xadd(REPLIES, ...TRIM, '*', 'id', id, 'data', JSON.stringify(JSON.parse(data))).catch(fail)
      }
      if (messages.length > 0) writes.xack(REQUESTS, GROUP, ...messages.map(([id]) => id)).catch(fail)
    }
  }
  serve().catch(fail)
}

export async function client({ port }, fail) {
  const [reads, writes] = [connect(port), connect(port)]
  const waiting = new Map()
  const hear = async (from) => {
    for (let last = from; ; ) {
      const found = await reads.xread('COUNT', 512, 'BLOCK', 5_000, 'STREAMS', REPLIES, last)
      for (const [messageId, [, id, , data]] of found?.[0][1] ?? []) {
        last = messageId
        waiting.get(id)?.(JSON.parse(data))
        waiting.delete(id)
      }
    }
  }
  hear('0').catch(fail)
  let count = 0
  return echoed((data) => {
    const id = String(++count)
    writes.xadd(REQUESTS, ...TRIM, '*', 'id', id, 'data', JSON.stringify(data)).catch(fail)
    return new Promise((resolve) => waiting.set(id, resolve))
  })
}
