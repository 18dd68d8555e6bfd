/** The address of a Redis server: a URL and the options of openSpace, checked before anything is sent. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Access, Credentials, TlsOptions } from '../../../engine/access.js'
import { didYouMean } from '../../../errors/did-you-mean.js'
import { onlyKnown } from '../../../errors/unknown-option.js'
import { SpaceError } from '../../../errors.js'

/** The host and port of a server, or the path of a unix socket. */
export type Place = HostAndPort | { readonly path: string }

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** The servers that are asked where the primary of a space is. */
export interface Seeds {
  readonly of: 'sentinel' | 'cluster'
  readonly hosts: readonly HostAndPort[]
  /** The name by which the Sentinels know the primary; '' on a Cluster. */
  readonly primary: string
  /** The user and password of the Sentinels. */
  readonly login: Partial<Credentials>
  readonly passwordFile: string | undefined
}

export interface Address {
  /** Where the server is; with `seeds`, the first of them. */
  readonly at: Place
  /** Undefined if the server is the one at `at`. */
  readonly seeds: Seeds | undefined
  /** The address as messages show it, without credentials. */
  readonly shown: string
  readonly database: number
  /** The number of partitions that the URL names. */
  readonly partitions: number | undefined
  readonly login: Partial<Credentials>
  readonly passwordFile: string | undefined
  readonly credentials: Access['credentials']
  readonly tls: TlsOptions | undefined
}

const TLS_NAMES = ['ca', 'cert', 'key', 'servername'] as const
const PARAMETERS: ReadonlySet<string> = new Set(['db', 'passwordFile', ...TLS_NAMES])
const LARGEST_DATABASE = 2 ** 31 - 1
const DEFAULT_PORT = 6379

/** @throws SpaceError URL_UNKNOWN, INVALID_ARGUMENT; neither has a part of the URL that may be a password */
export function addressOf(url: string, { tls, credentials }: Access = {}): Address {
  const isSocket = url.startsWith('unix:')
  const several = severalHosts(url)
  const parsed = isSocket ? socketUrl(url) : parse(several?.url ?? url)
  // An @ behind the question mark may be the end of a password.
  const mayBeShown = url.lastIndexOf('@') < url.indexOf('?')
  const parameters = parametersOf(parsed.searchParams, mayBeShown, several?.parameters ?? PARAMETERS)
  const login = {
    ...(parsed.username && { username: decoded(parsed.username) }),
    ...(parsed.password && { password: decoded(parsed.password) }),
  }
  if (parsed.password && parameters.passwordFile !== undefined) {
    throw wrong('The address has a password and a passwordFile: give one of them.')
  }
  const seeds = several && seedsOf(several, parameters)
  const at = seeds?.hosts[0] ?? (isSocket ? { path: socketPath(parsed.pathname) } : hostOf(parsed))
  const path = several ? several.database : isSocket ? '' : parsed.pathname.slice(1)
  return {
    at,
    seeds,
    shown: seeds ? seeds.hosts.map(shownPlace).join(',') : shownPlace(at),
    database: databaseOf(path, parameters.db),
    partitions: partitionsOf(parameters.partitions),
    login,
    passwordFile: parameters.passwordFile,
    credentials: checkedCredentials(credentials),
    tls: tlsOf(parsed.protocol === 'rediss:', parameters, checkedTls(tls)),
  }
}

/** Returns the user and password to connect with now. @throws SpaceError INVALID_ARGUMENT if they cannot be read */
export async function loginOf({ login, passwordFile, credentials }: Address): Promise<Partial<Credentials>> {
  if (passwordFile !== undefined || !credentials) return withPasswordOf(passwordFile, login)
  const given: unknown = await credentials()
  const { username, password } = (given ?? {}) as Partial<Credentials>
  const isName = username === undefined || typeof username === 'string'
  if (typeof password !== 'string' || password === '' || !isName) {
    throw new SpaceError('INVALID_ARGUMENT', 'credentials() must return { username, password }, both texts.')
  }
  return username === undefined ? { password } : { username, password }
}

/** Returns the user and password for a Sentinel. @throws as loginOf() */
export const sentinelLoginOf = ({ login, passwordFile }: Seeds): Promise<Partial<Credentials>> =>
  withPasswordOf(passwordFile, login)

async function withPasswordOf(file: string | undefined, login: Partial<Credentials>): Promise<Partial<Credentials>> {
  if (file === undefined) return login
  const password = (await readText(file, 'password file')).replace(/\r?\n$/, '')
  if (password === '') throw new SpaceError('INVALID_ARGUMENT', `The password file ${file} is empty.`)
  return { ...login, password }
}

/**
 * Returns TLS options for a connection to a place, with the contents of files, read now: renewed certificates count for
 * the next connection.
 */
export async function tlsMaterial(tls: TlsOptions, place: Place): Promise<TlsOptions> {
  const read: Record<string, string | Buffer> = {}
  for (const name of ['ca', 'cert', 'key'] as const) {
    const given = tls[name]
    if (given === undefined) continue
    const isFile = typeof given === 'string' && !given.includes('-----BEGIN')
    read[name] = isFile ? await readText(given, `file of tls.${name}`) : given
  }
  // An IP address is verified without a server name (RFC 6066, section 3).
  const host = 'host' in place && isIP(place.host) === 0 ? place.host : undefined
  const servername = tls.servername ?? host
  return { ...(servername !== undefined && { servername }), ...read }
}

/** Returns a URL with parameters added, for settings that have a flag of their own. */
export function withParameters(url: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const added = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  )
  return added.length === 0 ? url : `${url}${url.includes('?') ? '&' : '?'}${added.join('&')}`
}

/** Returns what to write instead of an address of an unknown form; '' if nothing is known. */
export function adviceFor(url: string): string {
  if (/^\s|\s$/.test(url)) return 'It has a space at its begin or end.'
  if (/^(\.{0,2}\/|unix:)/.test(url) || /^redis(\+unix|\+socket|-socket):/.test(url)) return SOCKET_ADVICE
  if (/^rediss?-(sentinel|cluster):/.test(url)) return 'Write redis+sentinel:// or redis+cluster://, with a plus.'
  if (/^valkeys?:\/\//.test(url)) return 'For Valkey, too, write redis:// or rediss://.'
  if (/^rediss?:/.test(url)) return 'Two slashes follow the scheme: redis://host:6379.'
  return /^[\w.-]+(:\d+)?(\/\d+)?$/.test(url) ? 'The scheme is missing: write redis:// in front.' : ''
}

/** A URL of several hosts, taken apart as far as URL does not. */
interface SeveralHosts {
  readonly of: Seeds['of']
  /** The same with the first host alone. */
  readonly url: string
  readonly hosts: readonly string[]
  readonly primary: string
  readonly database: string
  readonly parameters: ReadonlySet<string>
}

const SENTINEL_ADVICE = 'Write redis+sentinel://host:26379,host:26379/NAME, with the name of the primary.'
const CLUSTER_ADVICE = 'Write redis+cluster://host:6379,host:6379.'
const SEVERAL_PARAMETERS = {
  sentinel: new Set([...PARAMETERS, 'sentinelUsername', 'sentinelPassword', 'sentinelPasswordFile']),
  cluster: new Set([...PARAMETERS, 'partitions']),
}
const DEFAULT_PORTS = { sentinel: '26379', cluster: String(DEFAULT_PORT) }
/** More hosts would be a list that somebody generated by mistake. */
const MOST_HOSTS = 100

/** Returns undefined for a URL of one server. */
function severalHosts(url: string): SeveralHosts | undefined {
  const [, scheme, kind] = /^(rediss?)\+(sentinel|cluster):/.exec(url) ?? []
  if (!scheme) return undefined
  const of = kind as Seeds['of']
  const [, login = '', list = '', path = '', query = ''] =
    /^[^:]*:\/\/([^/?#]*@)?([^/?#@]+)(\/[^?#]*)?(\?.*)?$/.exec(url) ?? []
  const hosts = list.split(',')
  const [name = '', database = ''] = of === 'sentinel' ? path.slice(1).split('/') : ['', path.slice(1)]
  if (hosts.includes('') || hosts.length > MOST_HOSTS || (of === 'sentinel' && name === '')) {
    throw wrong(of === 'sentinel' ? SENTINEL_ADVICE : CLUSTER_ADVICE)
  }
  const parameters = SEVERAL_PARAMETERS[of]
  const withPort = hosts.map((host) => (/:\d+$/.test(host) ? host : `${host}:${DEFAULT_PORTS[of]}`))
  return {
    of,
    url: `${scheme}://${login}${withPort[0]}${query}`,
    hosts: withPort,
    primary: decoded(name),
    database,
    parameters,
  }
}

function seedsOf({ of, hosts, primary }: SeveralHosts, given: Parameters): Seeds {
  const { sentinelUsername: username, sentinelPassword: password, sentinelPasswordFile: passwordFile } = given
  if (password !== undefined && passwordFile !== undefined) {
    throw wrong('The address has a sentinelPassword and a sentinelPasswordFile: give one of them.')
  }
  return {
    of,
    hosts: hosts.map((host) => hostOf(parse(`redis://${host}`))),
    primary,
    login: { ...(username !== undefined && { username }), ...(password !== undefined && { password }) },
    passwordFile,
  }
}

export const shownPlace = (place: Place): string =>
  'path' in place ? place.path : `${isIP(place.host) === 6 ? `[${place.host}]` : place.host}:${place.port}`

const MOST_PARTITIONS = 256

function partitionsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > MOST_PARTITIONS) {
    throw wrong(`Its partitions must be a number from 1 to ${MOST_PARTITIONS}.`)
  }
  return number
}

const SOCKET_ADVICE =
  'Write the absolute path of a unix socket as unix:///path/to/redis.sock, and its database as ?db=2.'

const wrong = (detail: string): SpaceError => new SpaceError('URL_UNKNOWN', detail)

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch {
    // Without the cause, which holds the whole address, password included.
    throw wrong(adviceFor(url))
  }
}

/** URL accepts credentials only before a host, which the address of a socket lacks. */
function socketUrl(url: string): URL {
  const [, path] = /^unix:\/\/(?:[^/?#]*@)?(\/.*)$/.exec(url) ?? []
  if (path === undefined) throw wrong(SOCKET_ADVICE)
  return parse(url.replace(/^unix:\/\/([^/?#]*@)?\//, 'redis://$1socket/'))
}

function socketPath(path: string): string {
  if (path === '/') throw wrong(SOCKET_ADVICE)
  return decoded(path)
}

type Parameters = Readonly<Record<string, string | undefined>>

function parametersOf(found: URLSearchParams, mayBeShown: boolean, names: ReadonlySet<string>): Parameters {
  const parameters: Record<string, string> = {}
  for (const [name, value] of found) {
    if (!names.has(name)) {
      const known = [...names].join(', ')
      if (!mayBeShown) throw wrong('It has an unknown parameter. In a password, write ? as %3F and @ as %40.')
      throw wrong(`It has an unknown parameter ${name}.${didYouMean(name, names)} There are ${known}.`)
    }
    if (name in parameters) throw wrong(`It has the parameter ${name} twice.`)
    if (value === '') throw wrong(`Its parameter ${name} is empty.`)
    parameters[name] = value
  }
  return parameters
}

function hostOf({ hostname, port, pathname }: URL): { host: string; port: number } {
  if (port === '0') throw wrong('Its port is 0: give the port that Redis listens on, from 1 to 65535.')
  const host = hostname.replace(/^\[|\]$/g, '')
  if (host === '' && /\/.*\D/.test(pathname)) throw wrong(SOCKET_ADVICE)
  return { host: decoded(host) || '127.0.0.1', port: port === '' ? DEFAULT_PORT : Number(port) }
}

function databaseOf(path: string, parameter: string | undefined): number {
  if (path !== '' && parameter !== undefined && path !== parameter) {
    throw wrong('It names two databases, one in its path and one as db.')
  }
  const text = path || parameter || '0'
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > LARGEST_DATABASE) {
    throw wrong('Its database must be a number, as in redis://host:6379/2 or unix:///path?db=2.')
  }
  return number
}

function checkedTls(tls: TlsOptions | undefined): TlsOptions {
  if (tls === undefined) return {}
  onlyKnown('tls', tls, new Set(TLS_NAMES))
  for (const name of TLS_NAMES) {
    const value = tls[name]
    const isBytes = name !== 'servername' && Buffer.isBuffer(value)
    if (value !== undefined && !isBytes && (typeof value !== 'string' || value === '')) {
      throw new SpaceError('INVALID_ARGUMENT', `tls.${name} must be a text of at least one character.`)
    }
  }
  return tls
}

function checkedCredentials(credentials: Access['credentials']): Access['credentials'] {
  if (credentials !== undefined && typeof credentials !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'credentials must be a function that returns { username, password }.')
  }
  return credentials
}

function tlsOf(isTls: boolean, parameters: Parameters, given: TlsOptions): TlsOptions | undefined {
  const named = TLS_NAMES.filter((name) => (given[name] ?? parameters[name]) !== undefined)
  if (!isTls) {
    if (named.length > 0)
      throw wrong(`${named[0]} is a setting of TLS: the address must begin with rediss:// (or rediss+).`)
    return undefined
  }
  const tls: Record<string, string | Buffer> = {}
  for (const name of named) tls[name] = (given[name] ?? parameters[name])!
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new SpaceError('INVALID_ARGUMENT', 'TLS needs cert and key together, or neither.')
  }
  return tls
}

/** Returns the decoded part of a URL. A part that cannot be decoded is not shown: it may be most of a password. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('Its user or password has a % that encodes nothing: write a % as %25.')
  }
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new SpaceError('INVALID_ARGUMENT', `The ${what}, ${path}, cannot be read (${code}).`, { cause })
  }
}
