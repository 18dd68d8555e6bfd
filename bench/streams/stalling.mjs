/** Part stalling: six kinds of clients that hold a connection and hardly use it; what the others feel, and when each is gone. */
import { connect } from 'node:net'
import { pace, startSystem } from './system.mjs'
import { filled, openOf, unreading } from './unread.mjs'

const OTHERS_PER_SECOND = 200
const WAIT_MS = 180_000

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends `first`, then a byte of `drip` every second. */
function dripping(port, first, drip) {
  const socket = connect(port, '127.0.0.1')
  const since = performance.now()
  const state = { goneMs: undefined, destroy: () => socket.destroy() }
  let at = 0
  const timer = setInterval(() => socket.write(drip[at++ % drip.length]), 1_000)
  socket.on('error', () => {}).on('data', () => {})
  socket.on('close', () => {
    clearInterval(timer)
    state.goneMs = performance.now() - since
  })
  socket.write(first)
  return state
}

const HEAD = 'POST /up HTTP/1.1\r\nHost: a\r\n'
/** Of each kind, how a client begins and goes on, and the seconds within which docs/http.md has it gone. */
const KINDS = {
  'send nothing': [10, (port) => dripping(port, '', [''])],
  'a byte of a head a second': [10, (port) => dripping(port, 'GET / HTTP/1.1\r\nX-Slow: ', ['x'])],
  'a byte of a small body a second': [30, (port) => dripping(port, `${HEAD}Content-Length: 1000\r\n\r\n`, ['x'])],
  'a chunk of a byte a second': [
    50,
    (port) => dripping(port, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, ['1\r\nx\r\n']),
  ],
  'an upload that stalls': [
    50,
    (port) => dripping(port, `${HEAD}Content-Length: 10000000\r\n\r\n${'x'.repeat(100_000)}`, ['']),
  ],
}

export async function stalling({ seconds, clients, aof }) {
  const system = await startSystem({ aof, processes: 2, concurrency: 16 })
  const port = Number(new URL(system.url).port)
  const felt = async (during) => {
    const stop = pace(`${system.url}/`, OTHERS_PER_SECOND)
    await during
    return stop()
  }
  try {
    await felt(pause(1_000))
    const before = await felt(pause(seconds * 1_000))
    const each = Math.round(clients / (Object.keys(KINDS).length + 1))
    const began = performance.now()
    const unread = Array.from({ length: each }, (_, i) => unreading(port, i))
    const kinds = Object.entries(KINDS).map(([name, [limit, start]]) => ({
      name,
      limit,
      all: Array.from({ length: each }, () => start(port)),
    }))
    const onset = await felt(filled(port, unread))
    const fullAfter = Math.round((performance.now() - began) / 1_000)
    const during = await felt(pause(seconds * 1_000))
    let unreadGone = 0
    while (performance.now() - began < WAIT_MS) {
      if ((await openOf(port, unread)).count === 0) unreadGone ||= Math.round((performance.now() - began) / 1_000)
      if (unreadGone && kinds.every(({ all }) => all.every(({ goneMs }) => goneMs !== undefined))) break
      await pause(1_000)
    }
    const lines = kinds.map(({ name, limit, all }) => {
      const gone = all.flatMap(({ goneMs }) => goneMs ?? [])
      return `${name}: ${gone.length} of ${all.length} gone, the last after ${(Math.max(...gone) / 1_000).toFixed(1)} s (limit ${limit} s)`
    })
    for (const { destroy } of [...unread, ...kinds.flatMap(({ all }) => all)]) destroy()
    return [
      `others before: p50 ${before.p50}, p99 ${before.p99} ms, failed ${before.failed} of ${before.count}`,
      `while ${each} clients of each kind begin, ${fullAfter} s: p50 ${onset.p50}, p99 ${onset.p99} ms, failed ${onset.failed} of ${onset.count}`,
      `then: p50 ${during.p50}, p99 ${during.p99} ms, failed ${during.failed} of ${during.count} (p99 ${(during.p99 / before.p99).toFixed(2)} ×)`,
      ...lines,
      unreadGone
        ? `read nothing: all gone ${unreadGone} s after they began (limit 60 s after the last progress)`
        : 'read nothing: some not gone',
    ]
  } finally {
    await system.stop()
  }
}
