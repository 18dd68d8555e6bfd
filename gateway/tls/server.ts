/** The HTTPS server: HTTP/1.1 and HTTP/2 on one port, chosen by ALPN. */

import type { ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { FIRST_WITHIN_MS } from '../first-bytes.js'
import { inheritHeader } from '../proxy-protocol.js'
import type { Certificates } from './certificates.js'

/** A field of Node.js that its types leave out: the connection beneath. */
interface WithParent {
  readonly _parent?: Socket
}

/** Connections of HTTP/2 are given to `serveHttp2`. */
export function createSecureServer(
  options: ServerOptions,
  certificates: Certificates,
  serveHttp2: (socket: TLSSocket) => void,
): Server {
  const { clientCertificates } = certificates.options
  const server = createServer({
    ...options,
    ...certificates.first,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: FIRST_WITHIN_MS,
    requestCert: clientCertificates !== undefined,
    rejectUnauthorized: clientCertificates === 'require',
    SNICallback: (name, done) => done(null, certificates.contextFor(name)),
  })
  certificates.onReload = (first) => server.setSecureContext(first)
  const [serveHttp1] = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[]
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    const beneath = (socket as WithParent)._parent
    if (beneath) inheritHeader(beneath, socket)
    if (socket.alpnProtocol === 'h2') serveHttp2(socket)
    else serveHttp1!.call(server, socket)
  })
  return server
}
