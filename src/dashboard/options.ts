/** The options of a dashboard, checked. */
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { type Logger, silent } from '../log.js'
import type { Space } from '../space.js'
import { checkedProxyLogin, type ProxyLogin } from './proxy-login.js'
import { type DashboardUser, isRight, RIGHTS, type Right } from './rights.js'

/** Where a request comes from. */
export interface RequestSource {
  /** The address of the peer, if the server tells it. */
  readonly address: string | undefined
}

/** An entry as the dashboard is about to show it. */
export interface ShownEntry {
  readonly kind: string
  readonly id: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface DashboardOptions {
  readonly space: Space
  /** The path under which it is mounted, as browsers see it. Default `/`. */
  readonly path?: string | undefined
  /**
   * The rights of whoever reaches it, without users. Default none: it can be read. Without `users`, `resolve` and
   * `proxyLogin` it answers this machine alone.
   */
  readonly rights?: readonly Right[] | undefined
  /** The file of users, as `takespace dashboard passwd` writes it. */
  readonly users?: string | undefined
  /** Returns the user of a request, for a login of yours; null: nobody. */
  readonly resolve?:
    | ((request: Request, source: RequestSource) => DashboardUser | null | Promise<DashboardUser | null>)
    | undefined
  /**
   * A login by a proxy in front, which names the user in a field of each request. With `users` their roles are those of
   * the file, and others are refused; without, all have `rights`. Default: none.
   */
  readonly proxyLogin?: ProxyLogin | undefined
  /**
   * The origins under which browsers reach it, such as `https://ops.example.com`. Default: loopback names with any port.
   * Others need `users`, `resolve` or `proxyLogin`.
   */
  readonly origins?: readonly string[] | undefined
  /** Allows origins with http beyond loopback. Default false. */
  readonly insecureHttp?: boolean | undefined
  /** True: nobody may act, whatever the rights. Default false. */
  readonly readOnly?: boolean | undefined
  /** Shown on every page, such as `production`. Default none. */
  readonly environment?: string | undefined
  /** Returns the fields to show of an entry. Default: all of them. */
  readonly redact?: ((entry: ShownEntry) => Readonly<Record<string, unknown>>) | undefined
  /** Default: logs nothing. */
  readonly logger?: Logger | undefined
}

const OPTIONS: ReadonlySet<string> = new Set<keyof DashboardOptions>([
  ...(['space', 'path', 'rights', 'users', 'resolve', 'proxyLogin', 'origins'] as const),
  ...(['insecureHttp', 'readOnly', 'environment', 'redact', 'logger'] as const),
])

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/

/** Returns whether a host name, without a port, is that of this machine alone. */
export const isLoopbackName = (name: string): boolean => LOOPBACK.test(name.toLowerCase())

/** Returns whether the peer of a connection is this machine. */
export const isLoopbackAddress = (address: string | undefined): boolean =>
  address !== undefined && isLoopbackName(address.replace(/^::ffff:/, ''))

const LONGEST_NAME = 40

const refuse = (message: string): never => {
  throw new SpaceError('INVALID_ARGUMENT', message)
}

export type CheckedDashboard = ReturnType<typeof checkedDashboard>

/** Returns the options with their defaults. Throws INVALID_ARGUMENT that names the option. */
export function checkedDashboard(options: DashboardOptions) {
  const known = onlyKnown('createDashboard', options, OPTIONS)
  const { space, path = '/', rights = [], users, resolve, proxyLogin, origins = [] } = known
  const { logger = silent, environment = '' } = known
  if (typeof path !== 'string' || !/^\/[\w~.\-/]*$/.test(path)) refuse('path begins with /, such as /ops.')
  if (!Array.isArray(rights) || !rights.every(isRight)) refuse(`rights are of ${Object.keys(RIGHTS).join(', ')}.`)
  if (!Array.isArray(origins) || !origins.every(isOrigin)) refuse('origins are like https://ops.example.com.')
  if (resolve !== undefined && typeof resolve !== 'function') refuse('resolve is a function.')
  if (resolve !== undefined && (users ?? proxyLogin) !== undefined) refuse('Give resolve, or users and proxyLogin.')
  if (typeof environment !== 'string' || environment.length > LONGEST_NAME) {
    refuse(`environment has at most ${LONGEST_NAME} characters.`)
  }
  const hasLogin = (users ?? resolve ?? proxyLogin) !== undefined
  if ((users ?? resolve) !== undefined && rights.length > 0)
    refuse('rights are of a dashboard without users: give each user a role.')
  const beyond = origins.filter((origin) => !isLoopbackName(new URL(origin).hostname))
  if (beyond.length > 0 && !hasLogin)
    refuse(`${beyond[0]} can be reached by others: give users, resolve or proxyLogin, too.`)
  const plain = beyond.find((origin) => origin.startsWith('http:'))
  if (plain && !known.insecureHttp) refuse(`${plain} shows passwords to the network: use https, or insecureHttp.`)
  return {
    space,
    path: path.replace(/\/+$/, ''),
    rights: rights as readonly Right[],
    users,
    resolve,
    namedByProxy: proxyLogin && checkedProxyLogin(proxyLogin),
    origins: origins.map((origin) => new URL(origin).origin),
    isSecure: !known.insecureHttp,
    readOnly: known.readOnly ?? false,
    environment,
    redact: known.redact ?? (({ fields }: ShownEntry) => fields),
    logger,
    hasLogin,
  }
}

function isOrigin(text: unknown): boolean {
  try {
    const { protocol, pathname, search, username } = new URL(text as string)
    return /^https?:$/.test(protocol) && pathname === '/' && search === '' && username === ''
  } catch {
    return false
  }
}
