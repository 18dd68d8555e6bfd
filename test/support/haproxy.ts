/** HAProxy in front of gateways: it checks /readyz, and neither retries nor redispatches. */
import { freePort } from './port.js'
import type { Process } from './process.js'
import { startProgram } from './programs.js'
import { until } from './until.js'

const CHECK_MS = 500

export interface GatewayAt {
  readonly port: number
  readonly adminPort: number
}

export interface Haproxy {
  readonly port: number
  readonly process: Process
  /** Resolves when the i-th gateway is up. */
  upAgain(i: number): Promise<void>
}

/**
 * Resolves when all gateways are up.
 *
 * @param write writes a file and returns its path
 */
export async function startHaproxy(
  gateways: readonly GatewayAt[],
  write: (name: string, text: string) => string,
): Promise<Haproxy> {
  const [port, statsPort] = [await freePort(), await freePort()]
  const config = write(
    'haproxy.cfg',
    `defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  # A busy machine may take longer for a check than the time between two.
  timeout check 5s
listen requests
  bind 127.0.0.1:${port}
  option httpchk GET /readyz
  default-server check inter ${CHECK_MS}ms fall 1 rise 1
${gateways.map((at, i) => `  server g${i} 127.0.0.1:${at.port} port ${at.adminPort}\n`).join('')}
listen stats
  bind 127.0.0.1:${statsPort}
  stats enable
  stats uri /
`,
  )
  const process = startProgram('haproxy', ['-db', '-f', config])
  const isUp = async (i: number): Promise<boolean> => {
    const table = await (await fetch(`http://127.0.0.1:${statsPort}/;csv`)).text()
    return new RegExp(`^requests,g${i},.*,UP,.*L7OK`, 'm').test(table)
  }
  const upAgain = (i: number): Promise<void> => until(() => isUp(i), `gateway ${i} is up`)
  for (const i of gateways.keys()) await upAgain(i)
  return { port, process, upAgain }
}
