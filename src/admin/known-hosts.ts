/**
 * The hosts that an admin port answers. A web page whose name resolves to this machine (DNS rebinding) could otherwise
 * read the port through the browser of someone who is near it: such a request has the name of the page as its Host.
 */
import { isIP } from 'node:net'
import { hostname } from 'node:os'

/**
 * Returns whether the port answers a request with this Host header. It does for IP addresses, which need no
 * resolution, for `localhost`, the name of this machine, the address that it listens on, and `allowed`; and without a
 * header, which every browser sends.
 */
export function isKnownHost(header: string | undefined, listensOn: string, allowed: readonly string[]): boolean {
  if (header === undefined || header === '') return true
  const name = header.replace(/:\d*$/, '').toLowerCase()
  if (isIP(name.replace(/^\[|\]$/g, '')) > 0) return true
  return ['localhost', hostname(), listensOn, ...allowed].some((known) => known.toLowerCase() === name)
}
