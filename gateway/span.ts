/** The span of an exchange. */
import type { IncomingMessage } from 'node:http'
import type { OpenSpan, Tracing } from '../src/admin/spans.js'
import { clientOf } from '../src/request.js'
import type { Head } from './encode.js'
import { protocolOf, unmapped } from './proxies.js'
import type { Route } from './routes.js'

/** Starts the span of an exchange; its context is added to the request's headers. */
export function spanOf(
  tracing: Tracing,
  { req, service }: { readonly req: IncomingMessage; readonly service: string },
  { method, target, headers, client }: Head,
  { prefix }: Route,
): OpenSpan | undefined {
  const { socket } = req
  const peer = unmapped(socket.remoteAddress)
  const secure = protocolOf(socket) === 'https'
  return tracing.exchange({
    service,
    method,
    target,
    headers,
    route: prefix,
    peer,
    client: clientOf({ peer, secure, headers, client }),
  })
}
