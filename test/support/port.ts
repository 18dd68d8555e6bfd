/** A free port on loopback that stays ours between two listeners. */
import { createServer } from 'node:net'

// Below the ports that systems give to outgoing connections. A client that keeps connecting to a closed port of that range is one
// day given the very port as its own, and TCP connects it to itself; and then the server cannot come back.
const LOWEST = 20_000
const HIGHEST = 32_000

export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
