/** The ways in which a gateway serves HTTP/2, by name: the options of each. */
import type { GatewayOptions } from '../../gateway/index.js'
import { createAuthority } from '../support/certificates.js'
import { scratch } from '../support/scratch.js'

/** Call it at the top of a test file. */
export function fronts(): Record<string, Partial<GatewayOptions>> {
  const { cert, key } = createAuthority(scratch('http2').folder, 'authority').sign('server', 'IP:127.0.0.1')
  return {
    TLS: { tls: { certificates: [{ certFile: cert, keyFile: key }] } },
    'prior knowledge': { h2c: true },
  }
}
