/** Client certificates: what a verified one is passed on as (RFC 9440). */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

const fields = new WeakMap<object, string>()

/** Returns the value of Client-Cert for a connection whose client has shown a valid certificate, else undefined. */
export function clientCertOf(socket: Socket): string | undefined {
  const { encrypted, authorized } = socket as TLSSocket
  if (!encrypted || !authorized) return undefined
  const known = fields.get(socket)
  if (known !== undefined) return known
  const { raw } = (socket as TLSSocket).getPeerCertificate()
  if (raw === undefined) return undefined
  const field = `:${raw.toString('base64')}:`
  fields.set(socket, field)
  return field
}
