/** A login by a proxy in front of a dashboard: the proxy is known by its address, and names the user in a field of each request. */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { SpaceError } from '../errors.js'
import { isUserName } from './users.js'

export interface ProxyLogin {
  /** The field that names the user, such as `X-Remote-User`. The proxy must remove it from what its clients send. */
  readonly header: string
  /** The addresses of the proxy: IP addresses, CIDR ranges, or `loopback`. */
  readonly from: readonly string[]
}

/** Returns the user whom a trusted proxy has named; undefined: nobody, or the peer is not trusted. */
export type NamedByProxy = (headers: Headers, address: string | undefined) => string | undefined

const LOOPBACK = ['127.0.0.0/8', '::1']
const FIELD = /^[a-z][\w-]{0,63}$/i

/** Fields that browsers and programs send by themselves. */
const OTHERS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'host', 'origin', 'user-agent', 'content-type'])

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedProxyLogin(login: ProxyLogin): NamedByProxy {
  const { header, from } = Object(login) as Partial<ProxyLogin>
  if (typeof header !== 'string' || !FIELD.test(header) || OTHERS.has(header.toLowerCase())) {
    throw new SpaceError('INVALID_ARGUMENT', 'proxyLogin.header is the name of a field, such as X-Remote-User.')
  }
  if (!Array.isArray(from) || from.length === 0) throw unknownAddress(String(from))
  const trusted = new BlockList()
  for (const text of from.flatMap((each: string) => (each === 'loopback' ? LOOPBACK : each))) trust(trusted, text)
  return (headers, address) => {
    const peer = (address ?? '').replace(/^::ffff:(?=\d+\.)/, '')
    if (isIP(peer) === 0 || !trusted.check(peer, familyOf(peer))) return undefined
    // Two fields of this name come as `a, b`: one of them may be the client's.
    const name = headers.get(header) ?? ''
    return isUserName(name) ? name : undefined
  }
}

function trust(trusted: BlockList, text: unknown): void {
  const [address = '', bits, ...rest] = typeof text === 'string' ? text.split('/') : []
  const most = isIPv6(address) ? 128 : 32
  const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
  if (isIP(address) === 0 || !isRange || rest.length > 0) throw unknownAddress(String(text))
  if (bits === undefined) trusted.addAddress(address, familyOf(address))
  else trusted.addSubnet(address, Number(bits), familyOf(address))
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4')

const unknownAddress = (text: string): SpaceError =>
  new SpaceError(
    'INVALID_ARGUMENT',
    `proxyLogin.from is a list of IP addresses, CIDR ranges, or loopback, not ${text}.`,
  )
