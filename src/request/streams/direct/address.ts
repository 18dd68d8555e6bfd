/** Which direct connections a process makes and accepts, and the addresses in an invitation. */
import { isIP } from 'node:net'
import { SpaceError } from '../../../errors.js'
import { socketPath } from './folder.js'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** The connections that `directStreams` allows. */
export interface DirectTerms {
  /** Connections within the host, over unix sockets. */
  readonly unix: boolean
  /** Connections over TCP to the addresses of gateways. */
  readonly tcp: boolean
  /** The address at which a gateway in this process accepts them. */
  readonly listen: HostPort | undefined
}

export const NO_DIRECT: DirectTerms = { unix: false, tcp: false, listen: undefined }

const HOST_PORT = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i

export function hostPortOf(text: string): HostPort | undefined {
  const [, v6, name, digits] = HOST_PORT.exec(text) ?? []
  const host = v6 ?? name
  const port = Number(digits)
  return host !== undefined && port <= 65_535 && (v6 === undefined || isIP(v6) === 6) ? { host, port } : undefined
}

/** Returns what `directStreams` allows. Throws INVALID_ARGUMENT. */
export function directTerms(value: unknown): DirectTerms {
  if (value === 'off') return NO_DIRECT
  if (value === 'host') return { unix: true, tcp: false, listen: undefined }
  if (value === 'network') return { unix: true, tcp: true, listen: undefined }
  const listen = typeof value === 'string' ? hostPortOf(value) : undefined
  if (!listen || isUnspecified(listen.host)) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'directStreams is off, host, network, or the address under which workers reach this gateway, such as 10.0.0.5:7400.',
    )
  }
  return { unix: true, tcp: true, listen }
}

/** Returns whether no worker could connect to an address. A name may have other spellings, and resolve to one. */
export const isUnspecified = (host: string): boolean => /^(?:0\.0\.0\.0|::ffff:0\.0\.0\.0|[0:]+)$/i.test(host)

export type Target = { readonly path: string } | HostPort

/** Returns the addresses of an invitation to which this process may connect, the nearest first. */
export function targetsIn(addresses: string, { unix, tcp }: DirectTerms): Target[] {
  const targets: Target[] = []
  for (const address of addresses.split(' ').slice(0, 4)) {
    const [, way, place] = /^(unix|tcp):(.+)$/.exec(address) ?? []
    if (place === undefined) continue
    const path = way === 'unix' && unix ? socketPath(place) : undefined
    const at = way === 'tcp' && tcp ? hostPortOf(place) : undefined
    if (path) targets.push({ path })
    else if (at) targets.push(at)
  }
  return targets
}
