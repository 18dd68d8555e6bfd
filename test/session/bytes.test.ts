/** What a session write moves over the wire, and how often it goes there and back: the same however many workers there are. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { SpaceSessionStore, type StoredSession } from '../../src/session/index.js'
import { report } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'

const WRITES = 200
const KIB = 1_024

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

interface Traffic {
  readonly bytes: number
  /** Calls of functions, and of MGET. */
  readonly calls: number
  readonly reads: number
}

async function trafficNow(): Promise<Traffic> {
  const stats = await redis.cli('INFO', 'stats')
  const commands = await redis.cli('INFO', 'commandstats')
  const of = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)
  return {
    bytes: of(stats, /total_net_input_bytes:(\d+)/) + of(stats, /total_net_output_bytes:(\d+)/),
    calls: of(commands, /cmdstat_fcall:calls=(\d+)/),
    reads: of(commands, /cmdstat_mget:calls=(\d+)/),
  }
}

/** Beats and our own questions go on meanwhile; what they take is measured over as long a time without writes, and not counted. */
async function during(work: () => Promise<void>): Promise<Traffic> {
  const measure = async (run: () => Promise<void>): Promise<Traffic> => {
    const before = await trafficNow()
    await run()
    const after = await trafficNow()
    return { bytes: after.bytes - before.bytes, calls: after.calls - before.calls, reads: after.reads - before.reads }
  }
  const since = performance.now()
  const busy = await measure(work)
  const ms = performance.now() - since
  const idle = await measure(() => new Promise((resolve) => setTimeout(resolve, ms)))
  return { bytes: busy.bytes - idle.bytes, calls: busy.calls - idle.calls, reads: busy.reads - idle.reads }
}

const text = (n: number, length: number): string => `${n}:`.padEnd(length, 'x')

/** Of each write: its bytes both ways, and its calls. */
async function writes(
  workers: number,
  rest: number,
): Promise<{ write: number; calls: number; read: number; reads: number }> {
  const spaces = await Promise.all(Array.from({ length: workers }, () => openSpace(redis.url)))
  try {
    const stores = spaces.map((space) => new SpaceSessionStore({ space }))
    const others = Object.fromEntries(Array.from({ length: rest }, (_, i) => [`rest${i}`, text(i, KIB)]))
    const cookie = { originalMaxAge: 1_800_000, expires: new Date(Date.now() + 1_800_000) }
    await stores[0]!.set('sid', { cookie, n: 0, last: text(0, KIB), ...others })
    // One request after the other, each at another worker; loads and saves are measured apart.
    let total = { write: 0, calls: 0, read: 0, reads: 0 }
    const loaded: StoredSession[] = []
    const loads = await during(async () => {
      for (let i = 0; i < WRITES; i++) loaded.push((await stores[i % workers]!.get('sid')) as StoredSession)
    })
    const session = loaded[0] as StoredSession
    const save = async (): Promise<void> => {
      for (let i = 1; i <= WRITES; i++) {
        session.n = i
        session.last = text(i, KIB)
        await stores[0]!.set('sid', session)
      }
    }
    // What the processes say beside it, on a busy machine more at one time than at another, can only add.
    const all = [await during(save), await during(save)].sort((a, b) => a.bytes - b.bytes)
    const [saves] = all as [Traffic, Traffic]
    expect((await stores[workers - 1]!.get('sid'))?.n).toBe(WRITES)
    total = {
      write: saves.bytes / WRITES,
      calls: saves.calls / WRITES,
      read: loads.bytes / WRITES,
      reads: loads.reads / WRITES,
    }
    return total
  } finally {
    await Promise.all(spaces.map((space) => space.close()))
  }
}

test('a counter and 1 KiB take at most 1.6 kB and one call, with 2, 4 and 8 workers the same', async () => {
  const all: number[] = []
  for (const workers of [2, 4, 8]) {
    const { write, calls, read, reads } = await writes(workers, 0)
    report(`session write, ${workers} workers`, {
      'write, bytes': Math.round(write),
      'calls a write': Math.round(calls * 100) / 100,
      'read, bytes': Math.round(read),
      'calls a read': Math.round(reads * 100) / 100,
    })
    expect(write).toBeLessThanOrEqual(1_600)
    expect(Math.round(calls * 10) / 10).toBe(1)
    all.push(write)
  }
  // What differs is noise of the beats.
  expect(Math.max(...all) / Math.min(...all)).toBeLessThan(1.05)
})

test('a request that changes nothing costs a read and one call that runs two commands', async () => {
  const space = await openSpace(redis.url)
  try {
    const store = new SpaceSessionStore({ space })
    const cookie = { originalMaxAge: 1_800_000, expires: new Date(Date.now() + 1_800_000) }
    await store.set('quiet', { cookie, n: 0 })
    // A batch reads the presence of its process; SETRANGE writes the lease.
    const countsNow = async (): Promise<number[]> => {
      const commands = await redis.cli('INFO', 'commandstats')
      return ['mget', 'hmget', 'setrange'].map((name) =>
        Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(commands)?.[1] ?? 0),
      )
    }
    const before = await countsNow()
    for (let i = 0; i < WRITES; i++) {
      const session = (await store.get('quiet')) as StoredSession
      await store.touch('quiet', session)
    }
    const [reads, batches, renewals] = (await countsNow()).map((count, i) => count - before[i]!)
    expect({ reads, renewals }).toEqual({ reads: WRITES, renewals: WRITES })
    // Few batches of the process's own run meanwhile.
    expect(batches).toBeLessThan(WRITES / 4)
  } finally {
    await space.close()
  }
})

test('1 KiB that changes in a session of 64 KiB moves about 1 KiB', async () => {
  const { write, calls } = await writes(2, 63)
  report('session write, 1 KiB of 64 KiB', {
    'write, bytes': Math.round(write),
    'calls a write': Math.round(calls * 100) / 100,
  })
  expect(write).toBeLessThanOrEqual(1_600)
})

failOnLeaks()
