/** The option `admin` of a gateway and of a worker: where probes and metrics are answered. */
import { type Moved, onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import type { AdminAddress, MountedApp } from './server.js'

export interface AdminOptions {
  /** The port of /livez, /startupz, /readyz and /metrics; 0 = any free port, see `adminUrl`. */
  readonly port: number
  /** The address to listen on. Default 127.0.0.1: reachable from this machine only. */
  readonly host?: string | undefined
  /**
   * Names of hosts under which the port is asked, besides IP addresses, `localhost`, `host` and the name of this
   * machine. Requests with another Host header get 421. Default: none.
   */
  readonly allowedHosts?: readonly string[] | undefined
  /**
   * A dashboard, made by `createDashboard` with the path under which the port is to have it. Default: none.
   *
   * @example createGateway({ space, admin: { port: 9090, dashboard: createDashboard({ space, path: '/dashboard' }) } })
   */
  readonly dashboard?: MountedApp | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['port', 'host', 'allowedHosts', 'dashboard'])

/** The names that these options had before they were grouped. */
export const MOVED_TO_ADMIN: Moved = { adminPort: 'admin.port', adminHost: 'admin.host' }

/** Returns the options with their default. Throws INVALID_ARGUMENT that names the option. */
export function checkedAdmin(options: AdminOptions | undefined): AdminAddress | undefined {
  if (options === undefined) return undefined
  const { port, host = '127.0.0.1', allowedHosts = [], dashboard } = onlyKnown('admin', options, OPTIONS)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new SpaceError('INVALID_ARGUMENT', `admin.port must be an integer from 0 to 65535, not ${String(port)}.`)
  }
  if (typeof host !== 'string' || host === '') {
    throw new SpaceError('INVALID_ARGUMENT', 'admin.host is an address or a host name.')
  }
  const isName = (name: unknown): boolean => typeof name === 'string' && /^[^\s:/]+$/.test(name)
  if (!Array.isArray(allowedHosts) || !allowedHosts.every(isName)) {
    throw new SpaceError('INVALID_ARGUMENT', 'admin.allowedHosts is a list of host names, without ports.')
  }
  const { path, fetch } = Object(dashboard)
  if (dashboard !== undefined && (typeof fetch !== 'function' || !/^\/./.test(path))) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'admin.dashboard is made by createDashboard, with a path such as /dashboard.',
    )
  }
  return { port, host, allowedHosts, dashboard }
}
