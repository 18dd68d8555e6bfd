/** The BullMQ queue of a space's scheduler moves with the space: copied by type, so servers of any release will do. */
import type { Access } from '../../engine/access.js'
import { keysUnder } from './scan.js'
import { bullmqPrefix } from './wire/bullmq-connection.js'
import { type LookingClient, openLook } from './wire/look.js'

const TIMEOUT_MS = 5_000
/** Values in one command. */
const AT_ONCE = 1_000

/** How a key of a type is read whole, and what writes it. */
const COPIES: Readonly<Record<string, { readonly read: readonly string[]; readonly write: string }>> = {
  string: { read: ['GET'], write: 'SET' },
  hash: { read: ['HGETALL'], write: 'HSET' },
  list: { read: ['LRANGE', '0', '-1'], write: 'RPUSH' },
  set: { read: ['SMEMBERS'], write: 'SADD' },
  zset: { read: ['ZRANGE', '0', '-1', 'WITHSCORES'], write: 'ZADD' },
}

export interface QueueTerms {
  readonly url: string
  readonly nextUrl: string
  readonly access: Access
  readonly queue: string
}

/**
 * Copies all keys of a queue, except its events, over those that are there. No scheduler may run at either address. Locks of
 * jobs that were running end by themselves: the jobs are taken over.
 */
export async function copyQueue({ url, nextUrl, access, queue }: QueueTerms): Promise<void> {
  const prefix = (at: string): string => `${bullmqPrefix(at, access)}:${queue}:`
  const [from, to] = [prefix(url), prefix(nextUrl)]
  const old = await openLook(url, TIMEOUT_MS, from, access)
  try {
    const fresh = await openLook(nextUrl, TIMEOUT_MS, to, access)
    try {
      for await (const key of keysUnder(old.client, from)) {
        await copyKey(old.client, fresh.client, key, `${to}${key.slice(from.length)}`)
      }
    } finally {
      fresh.close()
    }
  } finally {
    old.close()
  }
}

async function copyKey(old: LookingClient, fresh: LookingClient, key: string, name: string): Promise<void> {
  const { read, write } = COPIES[String(await old.call('TYPE', key))] ?? {}
  if (!read || !write) return
  const [command, ...more] = read as [string, ...string[]]
  const found = await old.callBuffer(command, key, ...more)
  const remainingMs = Number(await old.call('PTTL', key))
  const values = valuesOf(found, write)
  await fresh.call('UNLINK', name)
  for (let from = 0; from < values.length; from += AT_ONCE) {
    await fresh.callBuffer(write, name, ...values.slice(from, from + AT_ONCE))
  }
  if (remainingMs > 0) await fresh.call('PEXPIRE', name, String(remainingMs))
}

/** Returns the values as they are written; over RESP3 pairs come in lists of their own. */
function valuesOf(found: unknown, write: string): Buffer[] {
  if (Buffer.isBuffer(found)) return [found]
  if (found === null || typeof found !== 'object') return []
  const list = Array.isArray(found) ? found : Object.entries(found)
  const values = list.flat(1).map((value) => (Buffer.isBuffer(value) ? value : Buffer.from(String(value))))
  if (write !== 'ZADD') return values
  return values.map((_, i) => values[i % 2 === 0 ? i + 1 : i - 1]!)
}
