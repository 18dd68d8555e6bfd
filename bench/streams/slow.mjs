/** Part slow: readers and writers of a kilobyte a second; what they take, and what the others feel. */
import { connect } from 'node:net'
import { Redis } from 'ioredis'
import { listed, pace, startSystem, watchMemory } from './system.mjs'

const EACH = 200
const OTHERS_PER_SECOND = 200
/** What 400 clients at 1 KiB/s move in a second, and as much again for what else is said. */
const SETTLED_BYTES = 2_000_000
const SETTLE_MS = 120_000

/** Reads so slowly that nearly all of its answer waits for it. */
function reader(port) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /down?bytes=33554432 HTTP/1.1\r\nHost: a\r\n\r\n')
  socket.pause()
  const state = { bytes: 0, closed: false, destroy: () => socket.destroy() }
  const timer = setInterval(() => {
    const chunk = socket.read(1_024)
    if (chunk) state.bytes += chunk.length
  }, 1_000)
  socket.on('close', () => {
    state.closed = true
    clearInterval(timer)
  })
  return state
}

function writer(port) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10485760\r\n\r\n')
  const state = { closed: false, destroy: () => socket.destroy() }
  const timer = setInterval(() => socket.write(Buffer.alloc(1_024)), 1_000)
  socket.on('close', () => {
    state.closed = true
    clearInterval(timer)
  })
  return state
}

/** The kernel takes megabytes for each reader before one of them is slow: until nothing more moves than what they read. */
async function settled(url) {
  const redis = new Redis(url)
  const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))[1])
  const since = performance.now()
  for (let before = await sent(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const now = await sent()
    if (now - before < SETTLED_BYTES || performance.now() - since > SETTLE_MS) break
    before = now
  }
  redis.disconnect()
}

export async function slow({ seconds, aof }) {
  const system = await startSystem({ aof, processes: 2, concurrency: 16 })
  const port = Number(new URL(system.url).port)
  try {
    // Once through, so that what is compared is warm.
    await pace(`${system.url}/`, OTHERS_PER_SECOND)().catch(() => {})
    let stop = pace(`${system.url}/`, OTHERS_PER_SECOND)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
    const before = await stop()
    const memory = watchMemory(system.pids)
    const all = [
      ...Array.from({ length: EACH }, () => reader(port)),
      ...Array.from({ length: EACH }, () => writer(port)),
    ]
    await settled(system.redis.url)
    stop = pace(`${system.url}/`, OTHERS_PER_SECOND)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
    const during = await stop()
    const closed = all.filter((each) => each.closed).length
    const took = memory()
    for (const { destroy } of all) destroy()
    return [
      `${EACH} readers and ${EACH} writers at 1 KiB/s: others' p99 ${before.p99} ms before, ${during.p99} ms during (${(during.p99 / before.p99).toFixed(2)} ×), p50 ${before.p50} and ${during.p50}; failed ${during.failed} of ${during.count}; cut ${closed}; more than before, MiB: ${listed(took)}`,
    ]
  } finally {
    await system.stop()
  }
}
