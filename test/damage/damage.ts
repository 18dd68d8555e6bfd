/** Shared by the tests of damaged data: Redis commands on bytes, and a seeded choice of bits. */
import { Redis as Client } from 'ioredis'
import type { Space } from '../../src/space.js'
import { deadLetters } from '../../src/tasks/requeue.js'
import type { Redis } from '../support/redis.js'

/** A client for bytes; `name` is the space. */
export interface Bytes {
  records(): Promise<Map<string, Buffer>>
  put(id: string, record: Buffer): Promise<void>
  call(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  close(): void
}

export function bytesOf(redis: Redis, name = 'default'): Bytes {
  const client = new Client(redis.port, '127.0.0.1')
  const entries = `{ts:${name}}:entries`
  return {
    records: async () => new Map(Object.entries(await client.hgetallBuffer(entries))),
    put: async (id, record) => void (await client.hset(entries, id, record)),
    call: (command, ...args) => client.call(command, ...args),
    close: () => client.disconnect(),
  }
}

/** A generator of numbers in 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Inverts one bit. */
export function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = changed[at]! ^ (1 << bit)
  return changed
}

/** The reasons of all dead letters. */
export async function reasons(space: Space): Promise<string[]> {
  const found: string[] = []
  for await (const [{ reason }] of deadLetters(space)) found.push(reason)
  return found
}
