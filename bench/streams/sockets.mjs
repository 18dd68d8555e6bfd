/** Part sockets: WebSockets whose messages come back; then their worker stops. */
import { WebSocket } from 'ws'
import { startSystem } from './system.mjs'

const CONNECTIONS = 200
const MESSAGES = 100

export async function sockets({ aof }) {
  const system = await startSystem({ aof })
  try {
    const clients = Array.from({ length: CONNECTIONS }, () => {
      const socket = new WebSocket(`${system.url.replace('http', 'ws')}/ws`)
      const client = {
        socket,
        got: [],
        code: 0,
        open: new Promise((ok, no) => void socket.on('open', ok).on('error', no)),
      }
      socket.on('message', (data) => client.got.push(String(data)))
      socket.on('close', (code) => {
        client.code = code
      })
      return client
    })
    await Promise.all(clients.map(({ open }) => open))
    const since = performance.now()
    for (let n = 0; n < MESSAGES; n++)
      for (const [i, { socket }] of clients.entries()) socket.send(`${i} ${n} ${'x'.repeat(n)}`)
    const until = async (holds) => {
      const begun = performance.now()
      while (!holds()) {
        if (performance.now() - begun > 60_000) throw new Error('it did not come to that')
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    await until(() => clients.every(({ got }) => got.length >= MESSAGES))
    const ms = performance.now() - since
    const exact = clients.every(
      ({ got }, i) => got.every((text, n) => text === `${i} ${n} ${'x'.repeat(n)}`) && got.length === MESSAGES,
    )
    const stoppedAt = performance.now()
    await Promise.all([system.children.end(), until(() => clients.every(({ code }) => code !== 0))])
    return [
      `${CONNECTIONS} connections × ${MESSAGES} messages: order and content ${exact ? 'exact' : 'WRONG'}, ${Math.round((CONNECTIONS * MESSAGES) / (ms / 1_000))} messages a second there and back`,
      `stopped: ${counted(clients).join(', ')} after ${Math.round(performance.now() - stoppedAt)} ms at most`,
    ]
  } finally {
    await system.stop()
  }
}

/** How many were closed with each code. */
function counted(clients) {
  const counts = new Map()
  for (const { code } of clients) counts.set(code, (counts.get(code) ?? 0) + 1)
  return Array.from(counts, ([code, count]) => `${code}: ${count}`)
}
