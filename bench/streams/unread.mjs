/** Part unread: clients that ask for much and read nothing; what the others feel, and when each of them is gone. */
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { listed, pace, percentile, startSystem, watchMemory } from './system.mjs'

const OTHERS_PER_SECOND = 200
/** The limit of a client that reads nothing of a streamed response, and what looking at it may take. */
const LIMIT_MS = 60_000
const GONE_WITHIN_MS = LIMIT_MS + 5_000

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks for 32 MiB and reads nothing; every second one goes on sending. */
export function unreading(port, i) {
  const socket = connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write('GET /down?bytes=33554432 HTTP/1.1\r\nHost: a\r\n\r\n')
  const timer = setInterval(() => {
    if (i % 2 === 1) socket.write('\r\n', () => {})
  }, 1_000)
  let local = 0
  socket.once('connect', () => {
    local = socket.localPort
  })
  return {
    get port() {
      return local
    },
    destroy() {
      clearInterval(timer)
      socket.destroy()
    },
  }
}

const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0')

/** The clients' connections that the gateway has not closed, and the bytes that the system keeps for them, from /proc/net/tcp. */
export async function openOf(port, all) {
  const local = `:${hex(port)}`
  const remote = new Set(all.map((each) => hex(each.port)))
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/))
  const open = lines.filter(
    (fields) => fields[1]?.endsWith(local) && fields[3] === '01' && remote.has(fields[2].split(':')[1]),
  )
  const kept = open.reduce((sum, fields) => sum + Number.parseInt(fields[4].split(':')[0], 16), 0)
  return { count: open.length, kept }
}

/** Resolves when the system takes no more bytes for them: until then they are like clients that read. */
export async function filled(port, all) {
  let before = -1
  for (;;) {
    const { kept } = await openOf(port, all)
    if (kept > 0 && kept === before) return kept
    before = kept
    await pause(2_000)
  }
}

/** Times of a megabyte, one after the other. */
async function megabytes(url, during) {
  const times = []
  let over = false
  const done = during.then(() => {
    over = true
  })
  while (!over) {
    const since = performance.now()
    await fetch(`${url}/down?bytes=1048576`)
      .then((res) => res.arrayBuffer())
      .catch(() => {})
    times.push(performance.now() - since)
    await pause(100)
  }
  await done
  return times
}

async function felt(url, during) {
  const stop = pace(`${url}/`, OTHERS_PER_SECOND)
  const times = await megabytes(url, during)
  return { ...(await stop()), megabyte: percentile(times, 50), worst: percentile(times, 100) }
}

const told = ({ p50, p99, failed, count, megabyte, worst }) =>
  `p50 ${p50}, p99 ${p99} ms, failed ${failed} of ${count}, a MiB ${megabyte} (at most ${worst}) ms`

export async function unread({ seconds, clients, aof }) {
  const system = await startSystem({ aof, processes: 2, concurrency: 16 })
  const port = Number(new URL(system.url).port)
  try {
    await felt(system.url, pause(1_000))
    const before = await felt(system.url, pause(seconds * 1_000))
    const memory = watchMemory(system.pids)
    const all = Array.from({ length: clients }, (_, i) => unreading(port, i))
    const since = performance.now()
    const filling = filled(port, all)
    const onset = await felt(system.url, filling)
    const fullAfter = Math.round((performance.now() - since) / 1_000)
    const during = await felt(system.url, pause(seconds * 1_000))
    const took = memory()
    let gone = 0
    while (performance.now() - since < GONE_WITHIN_MS * 3) {
      if ((await openOf(port, all)).count === 0) {
        gone = Math.round((performance.now() - since) / 1_000)
        break
      }
      await pause(1_000)
    }
    const { count: left } = await openOf(port, all)
    for (const { destroy } of all) destroy()
    return [
      `others before: ${told(before)}`,
      `while the system takes ${Math.round((await filling) / 2 ** 20)} MiB for ${clients} clients that read nothing, ${fullAfter} s: ${told(onset)}`,
      `then, while they read nothing: ${told(during)} (p99 ${(during.p99 / before.p99).toFixed(2)} ×)`,
      gone ? `all gone ${gone} s after they began` : `${left} not gone`,
      `more than before, MiB: ${listed(took)}`,
    ]
  } finally {
    await system.stop()
  }
}
