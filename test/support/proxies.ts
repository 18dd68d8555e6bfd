/** nginx, HAProxy and Caddy as processes in front of two gateways, with the files of examples/deploy. */
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from './port.js'
import type { Process } from './process.js'
import { describeWith, type ProgramName, startProgram } from './programs.js'
import { textOf } from './repository.js'
import { until } from './until.js'

/** The program and the file of each example. */
export const FRONTS = {
  nginx: { program: 'nginx', file: 'examples/deploy/nginx/takespace.conf' },
  haproxy: { program: 'haproxy', file: 'examples/deploy/haproxy/haproxy.cfg' },
  haproxyTcp: { program: 'haproxy', file: 'examples/deploy/haproxy/proxy-protocol.cfg' },
  caddy: { program: 'caddy', file: 'examples/deploy/caddy/Caddyfile' },
} as const

export type FrontName = keyof typeof FRONTS

export const PROXIES: readonly ProgramName[] = ['nginx', 'haproxy', 'caddy']
export const describeBehindProxies = (what: string, tests: () => void): void => describeWith(PROXIES, what, tests)

/** The gateways of the examples, as in a data centre: each on a host of its own, all on the same ports. */
export const GATEWAY_HOSTS = ['127.0.0.11', '127.0.0.12'] as const

export interface GatewayPorts {
  readonly port: number
  readonly adminPort: number
}

export interface Front {
  /** The port on which the proxy speaks TLS. */
  readonly port: number
  readonly process: Process
  /** Replaces what serves. Resolves when the new configuration serves, and old processes have ended. */
  reload(): Promise<void>
}

interface Ports extends GatewayPorts {
  readonly front: number
  readonly plain: number
  readonly caddyAdmin: number
}

/** Returns the file of an example with the ports, addresses and paths of a test in place of its own. */
function withPlaces(name: FrontName, pem: string, ports: Ports, folder: string): string {
  const { front, plain, port, adminPort, caddyAdmin } = ports
  const text = textOf(FRONTS[name].file)
    .replace(/10\.0\.0\.1([12])/g, '127.0.0.1$1')
    .replace(/\b8080\b/g, String(port))
    .replace(/\b9090\b/g, String(adminPort))
    .replace(/\/etc\/ssl\/shop\.(pem|key)/g, pem)
    .replace(/\b(listen |bind :)(443|80)\b/g, (_, word: string, which: string) => {
      const own = which === '443' ? front : plain
      return word === 'bind :' ? `bind 127.0.0.1:${own}` : `listen 127.0.0.1:${own}`
    })
  if (name === 'nginx') return inNginx(text, folder)
  const places = `http_port ${plain}\n\thttps_port ${front}\n\tdefault_bind 127.0.0.1`
  return name === 'caddy' ? text.replace('admin localhost:2019', `admin 127.0.0.1:${caddyAdmin}\n\t${places}`) : text
}

const ARGUMENTS: Readonly<Record<(typeof FRONTS)[FrontName]['program'], (file: string, folder: string) => string[]>> = {
  nginx: (file, folder) => ['-p', folder, '-e', 'stderr', '-c', file],
  haproxy: (file) => ['-W', '-db', '-f', file],
  caddy: (file) => ['run', '--config', file, '--adapter', 'caddyfile'],
}

/** The arguments that check a configuration instead of starting it. */
const CHECKS = { nginx: ['-t'], haproxy: ['-c'], caddy: [] } as const

async function written(name: FrontName, folder: string, pem: string, gateways: GatewayPorts) {
  const ports = { ...gateways, front: await freePort(), plain: await freePort(), caddyAdmin: await freePort() }
  const text = withPlaces(name, pem, ports, folder)
  const file = join(folder, `${name}.conf`)
  writeFileSync(file, text)
  return { ports, text, file }
}

// Caddy keeps its state in the home of its user.
const started = (program: ProgramName, args: readonly string[], folder: string): Process =>
  startProgram(program, args, { cwd: folder, env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder } })

/** Resolves with the exit code and the output of the program that checks the file of an example. */
export async function checkFront(name: FrontName, folder: string, pem: string): Promise<[number | null, string]> {
  const { program } = FRONTS[name]
  const { file } = await written(name, folder, pem, { port: 8080, adminPort: 9090 })
  const args = ARGUMENTS[program](file, folder)
  const checking = started(
    program,
    program === 'caddy' ? ['validate', ...args.slice(1)] : [...args, ...CHECKS[program]],
    folder,
  )
  const { code } = await checking.exited
  return [code, checking.output()]
}

/**
 * Starts a proxy in `folder` with the file of an example, in which ports, addresses and paths are replaced.
 *
 * @param pem the certificate followed by its key
 * @param gateways the ports of both gateways, which are at GATEWAY_HOSTS
 */
export async function startFront(name: FrontName, folder: string, pem: string, gateways: GatewayPorts): Promise<Front> {
  const { ports, text, file } = await written(name, folder, pem, gateways)
  const { program } = FRONTS[name]
  const process = started(program, ARGUMENTS[program](file, folder), folder)
  let hasEnded = false
  void process.exited.then(() => {
    hasEnded = true
  })
  await until(async () => hasEnded || (await accepts(ports.front)), `${name} accepts connections`)
  if (hasEnded) throw new Error(`${name} has ended. Its output:\n${process.output()}`)
  const reload = async (): Promise<void> => {
    if (program === 'caddy') return reloadCaddy(ports.caddyAdmin, text)
    const old = childrenOf(process.pid)
    process.kill(program === 'nginx' ? 'SIGHUP' : 'SIGUSR2')
    await until(() => {
      const now = childrenOf(process.pid)
      return now.length > 0 && !now.some((pid) => old.includes(pid))
    }, `${name} has replaced its processes`)
  }
  return { port: ports.front, process, reload }
}

/** As `caddy reload --force`. */
async function reloadCaddy(port: number, body: string): Promise<void> {
  const headers = { 'Content-Type': 'text/caddyfile', 'Cache-Control': 'must-revalidate' }
  const response = await fetch(`http://127.0.0.1:${port}/load`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`Caddy refuses its configuration: ${await response.text()}`)
}

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)

/** The parts of a configuration that an installation of nginx has, for processes that write into `folder`. */
const inNginx = (text: string, folder: string): string => `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
  ${text}
}
`

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
