/** Asks a real server, with the very header lines that are given, and puts responses into a form that can be compared. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { HttpRequest, HttpResponse } from '../../src/request.js'
import type { Ask } from './apps/requests.js'

/** The request as a gateway would write it, for a server on that port. */
export function askedOf({ method = 'GET', path, headers = [], body = '' }: Ask, port: number): HttpRequest {
  const bytes = Buffer.from(body as string)
  const list = ['Host', `127.0.0.1:${port}`, ...headers]
  if (method === 'POST' || bytes.length > 0) list.push('Content-Length', String(bytes.length))
  return { method, target: path, httpVersion: '1.1', headers: list, body: bytes, peer: '127.0.0.1', secure: false }
}

export function askServer(port: number, { method, target, headers, body }: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const options = { port, method, path: target, headers: [...headers, 'Connection', 'close'] as never, agent: false }
    const req = httpRequest(options, async (res: IncomingMessage) => {
      const { statusCode = 0, statusMessage = '', rawHeaders } = res
      const chunks: Buffer[] = []
      try {
        for await (const chunk of res) chunks.push(chunk)
        resolve({ status: statusCode, reason: statusMessage, headers: rawHeaders, body: Buffer.concat(chunks) })
      } catch (error) {
        reject(error)
      }
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** The connection's own fields and the framing are the server's or the gateway's. */
export const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'date'])

export interface Comparable {
  status: number
  reason: string
  headers: string[]
  body: string
}

/** All but what is the connection's must be the same, in the same order. */
export function comparable({ status, reason, headers, body }: HttpResponse): Comparable {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase()
    // A body that is there tells its length by itself.
    if (OF_THE_CONNECTION.has(name) || (name === 'content-length' && headers[i + 1] === String(body.length))) continue
    kept.push(`${headers[i]}: ${headers[i + 1]}`)
  }
  return { status, reason, headers: kept, body: body.toString('latin1') }
}
