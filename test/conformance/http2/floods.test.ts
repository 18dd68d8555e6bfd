/** Floods of HTTP/2: each ends its own connection, runs no more requests than its limit, and others are answered. */
import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { serveRequests } from '../../../src/request.js'
import { isLong, LONG_SECONDS, report, spread } from '../../faults/form.js'
import { type Served, serving, signal } from '../../gateway/serving.js'
import { failOnLeaks } from '../../support/leaks.js'
import { FLOOD_PATH, FLOODS, type Flooded, flood } from './flooding.js'

/** No flood lasts so long that it is not closed. */
const MOST_MS = 30_000
/** Streams of a connection, and resets of which it may have so many (docs/tls.md). */
const MOST_STREAMS = 250
const MOST_RESETS = 500
/** Far below what the frames of a long form would take if each was kept. */
const MOST_GROWTH_BYTES = 150 << 20

let served: Served
let other: ClientHttp2Session
const over = signal()
/** Requests of the flood that a worker was given. */
let taken = 0

beforeAll(async () => {
  const services = [{ service: 'web' }, { service: 'flood', pathPrefix: FLOOD_PATH }]
  served = await serving(() => ({ body: Buffer.from('fine') }), { h2c: true, services })
  await serveRequests(served.space, 'flood', 10_000, async (held) => {
    taken++
    await over.promise
    await held.complete({ status: 200, reason: '', headers: [], body: Buffer.alloc(0) })
  })
  other = connect(served.gateway.url).on('error', () => {})
})
afterAll(async () => {
  over.resolve()
  other.destroy()
  await served[Symbol.asyncDispose]()
})

/** Requests by which a flood is compared with none. */
const QUIET_REQUESTS = 500

/** Returns the time to the answer, in ms. */
async function askOther(): Promise<number> {
  const begun = performance.now()
  const stream = other.request({ ':path': '/' })
  const [head] = (await once(stream, 'response')) as [{ ':status': number }]
  expect(head[':status']).toBe(200)
  await once(stream.resume(), 'close')
  return performance.now() - begun
}

/** Asks on the other connection until `ended`. */
async function askUntil(ended: Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  let isOver = false
  void ended.finally(() => {
    isOver = true
  })
  while (!isOver) times.push(await askOther())
  return times
}

describe('a flood of', () => {
  test.each(Object.entries(FLOODS))('%s ends with its connection; others are answered', async (_name, each) => {
    taken = 0
    const flooding = flood(served.port, each, MOST_MS)
    const times = await askUntil(flooding)
    const { isOver, code } = await flooding
    expect(isOver).toBe(true)
    expect([undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM, constants.NGHTTP2_INTERNAL_ERROR]).toContain(code)
    expect(times.length).toBeGreaterThan(0)
    expect(taken).toBeLessThanOrEqual(MOST_RESETS + MOST_STREAMS)
  })

  if (isLong) {
    test.each(Object.entries(FLOODS))(
      `%s for ${LONG_SECONDS} s, on one connection after the other`,
      async (name, each) => {
        const before = process.memoryUsage().rss
        const quiet: number[] = []
        while (quiet.length < QUIET_REQUESTS) quiet.push(await askOther())
        const end = performance.now() + LONG_SECONDS * 1_000
        const all: Flooded[] = []
        const flooding = (async () => {
          while (performance.now() < end) all.push(await flood(served.port, each, MOST_MS))
        })()
        const times = spread(await askUntil(flooding))
        const growth = process.memoryUsage().rss - before
        report(`flood of ${name}`, {
          connections: all.length,
          frames: all.reduce((sum, { sent }) => sum + sent, 0),
          'others answered': times.count,
          'median ms': times.median,
          'without a flood': spread(quiet).median,
          'longest ms': times.most,
          'memory MiB': Math.round(growth / (1 << 20)),
        })
        expect(all.every(({ isOver }) => isOver)).toBe(true)
        expect(growth).toBeLessThan(MOST_GROWTH_BYTES)
      },
      LONG_SECONDS * 1_000 + 2 * MOST_MS,
    )
  }
})

failOnLeaks()
