/** Proxies in front of the gateway: which peers may tell who the client is, and who it is by their fields. */
import { isIP, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import parseForwarded from 'forwarded-parse'
import type { Logger } from '../src/log.js'
import { HOST } from '../src/request/http.js'
import type { RequestClient } from '../src/request.js'
import { isAnnounced } from './proxy-protocol.js'
import { type Trust, type TrustProxy, trustOf } from './trust.js'

/** More proxies than any request passes. */
const MOST_HOPS = 32

/** The field lines of a trusted peer: lower-case name, value, name, value … */
export type ForwardedFields = readonly string[]

export class TrustedProxies {
  readonly #trust: Trust | undefined
  readonly #log: Logger
  #warns: boolean
  #isPrivate: Trust | undefined

  /** @param setting undefined: no peer is trusted, and a private one whose fields are dropped is reported once */
  constructor(setting: TrustProxy | undefined, log: Logger) {
    this.#trust = setting === undefined || setting === false ? undefined : trustOf(setting)
    this.#log = log
    this.#warns = setting !== false
  }

  /** Returns whether the fields of this peer are trusted. */
  trusts(socket: Socket): boolean {
    return this.#trust?.(unmapped(socket.remoteAddress), isAnnounced(socket) ? 1 : 0) === true
  }

  /** Returns `trusts`, for a peer that has sent forwarded fields; warns once if they are dropped by mistake. */
  believes(socket: Socket): boolean {
    const isTrusted = this.trusts(socket)
    if (!isTrusted && this.#warns) this.#warn(unmapped(socket.remoteAddress))
    return isTrusted
  }

  #warn(peer: string): void {
    this.#isPrivate ??= trustOf('private')
    if (!this.#isPrivate(peer, 0)) return
    this.#warns = false
    this.#log.warn(
      { peer },
      'forwarded fields of a private peer are dropped; if the peer is your proxy, set --trust-proxy (trustProxy) to its address or to loopback or private, else to false',
    )
  }

  /** Returns the client behind a trusted peer. `host` is the Host field. */
  clientOf(socket: Socket, fields: ForwardedFields, host: string | undefined): RequestClient {
    const told = read(fields)
    let address = unmapped(socket.remoteAddress)
    let element: Record<string, string> | undefined
    const nearest = isAnnounced(socket) ? 1 : 0
    for (let hop = 0; hop < Math.min(told.hops.length, MOST_HOPS); hop++) {
      if (hop > 0 && this.#trust?.(address, nearest + hop) !== true) break
      const at = told.hops.length - 1 - hop
      element = told.elements[at]
      const next = addressIn(told.hops[at] as string)
      if (next === undefined) break
      address = next
    }
    const protocol = protocolIn(told.protocol ?? element?.proto) ?? protocolOf(socket)
    const name = told.host ?? element?.host ?? ''
    return { address, protocol, host: HOST.test(name) ? name : host }
  }
}

/** Returns the protocol of a connection. */
export const protocolOf = (socket: Socket): 'http' | 'https' =>
  (socket as TLSSocket).encrypted === true ? 'https' : 'http'

interface Told {
  /** The addresses, the nearest one last. */
  readonly hops: readonly string[]
  readonly protocol: string | undefined
  readonly host: string | undefined
  /** The elements of Forwarded, in the order of `hops`. */
  readonly elements: readonly Record<string, string>[]
}

/**
 * X-Forwarded-* precede Forwarded, and Forwarded precedes X-Real-IP: Express reads the first alone, so that app and
 * gateway agree. As in Express, the first protocol and the first host of a list count.
 */
function read(fields: ForwardedFields): Told {
  const values: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    const before = values[name]
    values[name] = before === undefined ? (fields[i + 1] as string) : `${before},${fields[i + 1]}`
  }
  const { forwarded, 'x-real-ip': real } = values
  const addresses = values['x-forwarded-for']
  const protocol = first(values['x-forwarded-proto'])
  const host = first(values['x-forwarded-host'])
  const isOlder = addresses !== undefined || protocol !== undefined || host !== undefined
  const elements = isOlder || forwarded === undefined ? [] : elementsIn(forwarded)
  const hops = addresses?.split(',') ?? elements.map((element) => element.for ?? '')
  return { hops: hops.length > 0 || real === undefined ? hops : [real], protocol, host, elements }
}

const first = (list: string | undefined): string | undefined => list?.split(',', 1)[0]?.trim()

/** Returns the elements of a Forwarded field (RFC 7239); [] if it is malformed. */
function elementsIn(field: string): Record<string, string>[] {
  try {
    return parseForwarded(field)
  } catch {
    return []
  }
}

const WITH_PORT = /^(?:\[([^\]]*)\]|([^:]*))(?::[\w.-]+)?$/

/** Returns the IP address in an entry, which may have a port; undefined for other names (RFC 7239 §6). */
function addressIn(entry: string): string | undefined {
  const text = entry.trim()
  const [, bracketed, bare] = isIP(text) ? [] : (WITH_PORT.exec(text) ?? [])
  const address = unmapped(bracketed ?? bare ?? text)
  return isIP(address) ? address : undefined
}

/** Some proxies write the protocol of a WebSocket. */
function protocolIn(text = ''): 'http' | 'https' | undefined {
  const protocol = text.toLowerCase().replace(/^ws/, 'http')
  return protocol === 'http' || protocol === 'https' ? protocol : undefined
}

const MAPPED_IPV4 = '::ffff:'

/** Returns an IPv4 address in its own form, also for a socket of both families. */
export const unmapped = (address = ''): string =>
  address.startsWith(MAPPED_IPV4) && address.includes('.') ? address.slice(MAPPED_IPV4.length) : address
