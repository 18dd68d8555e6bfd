/** Sends one request over HTTP/1.1 or HTTP/2, with or without TLS, with the very field lines that are given, and returns all that came back. */
import { request as httpRequest } from 'node:http'
import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { Request } from './requests.js'

export interface Heard {
  status: number
  /** '' over HTTP/2, which has none. */
  reason: string
  /** `Name: value`, in the order of their arrival. */
  headers: string[]
  /** As Latin-1. */
  body: string
  trailers: string[]
  /** Statuses of interim responses. */
  interim: number[]
}

/** Shared, since to make one takes longer than a handshake. */
const secureContext = createSecureContext()
const HOST = 'shop.example:8080'

const linesOf = (raw: readonly string[]): string[] =>
  raw.flatMap((name, i) => (i % 2 === 0 && !name.startsWith(':') ? [`${name}: ${raw[i + 1]}`] : []))

const textOf = async (pieces: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of pieces) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

const pairsOf = (fields: readonly string[]): [string, string][] =>
  fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]!] as [string, string]] : []))

/** The field lines of a request, with its length. */
function fieldsOf({ method = 'GET', headers = [], body = '', chunks, trailers = [] }: Request): string[] {
  const fields = ['Host', HOST, ...headers]
  const hasLength = headers.some((name, i) => i % 2 === 0 && name === 'Content-Length')
  const bytes = Buffer.byteLength(body as string)
  if (!chunks && !hasLength && (bytes > 0 || method === 'POST')) fields.push('Content-Length', String(bytes))
  if (trailers.length > 0) fields.push('Trailer', trailers.filter((_, i) => i % 2 === 0).join(', '))
  return fields
}

export function askHttp1(port: number, asked: Request, isSecure = false): Promise<Heard> {
  const { method = 'GET', path, body = '', chunks, trailers = [] } = asked
  const fields = fieldsOf(asked)
  if (!fields.some((name, i) => i % 2 === 0 && name === 'Connection')) fields.push('Connection', 'close')
  if (chunks) fields.push('Transfer-Encoding', 'chunked')
  return new Promise((resolve, reject) => {
    const interim: number[] = []
    const ask = isSecure ? httpsRequest : httpRequest
    const where = { port, host: '127.0.0.1', agent: false as const, rejectUnauthorized: false, secureContext }
    const req = ask({ ...where, method, path, headers: fields as never })
    req.on('error', reject)
    req.on('continue', () => interim.push(100))
    req.on('information', ({ statusCode }) => statusCode !== 100 && interim.push(statusCode))
    req.on('response', (res) => {
      textOf(res).then((text) => {
        const { statusCode = 0, statusMessage = '', rawHeaders, rawTrailers } = res
        resolve({
          status: statusCode,
          reason: statusMessage,
          headers: linesOf(rawHeaders),
          body: text,
          trailers: linesOf(rawTrailers),
          interim,
        })
        req.destroy()
      }, reject)
    })
    for (const chunk of chunks ?? []) req.write(chunk)
    if (trailers.length > 0) req.addTrailers(pairsOf(trailers))
    req.end(chunks ? undefined : body)
  })
}

export async function askHttp2(session: ClientHttp2Session, asked: Request): Promise<Heard> {
  const { method = 'GET', path, body = '', chunks, trailers = [] } = asked
  const head: OutgoingHttpHeaders = {
    ':method': method,
    ':path': path,
    ':scheme': session.encrypted ? 'https' : 'http',
    ':authority': HOST,
  }
  add(head, fieldsOf(asked).slice(2))
  const stream = session.request(head, {
    endStream: !chunks && body.length === 0,
    waitForTrailers: trailers.length > 0,
  })
  const heard: Heard = { status: 0, reason: '', headers: [], body: '', trailers: [], interim: [] }
  // The raw lines come as the third argument, which the types leave out.
  const on = stream.on.bind(stream) as unknown as (event: string, listener: (...args: never[]) => void) => void
  on('response', (fields: OutgoingHttpHeaders, _flags: number, raw: string[]) => {
    heard.status = Number(fields[':status'])
    heard.headers = linesOf(raw)
  })
  on('headers', (fields: OutgoingHttpHeaders) => heard.interim.push(Number(fields[':status'])))
  on('trailers', (_fields: object, _flags: number, raw: string[]) => {
    heard.trailers = linesOf(raw)
  })
  stream.on('wantTrailers', () => {
    const last: OutgoingHttpHeaders = {}
    add(last, trailers)
    stream.sendTrailers(last)
  })
  for (const chunk of chunks ?? []) stream.write(chunk)
  if (chunks || body.length > 0) stream.end(chunks ? undefined : body)
  heard.body = await textOf(stream)
  return heard
}

function add(head: OutgoingHttpHeaders, fields: readonly string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    const before = head[name]
    head[name] = before === undefined ? fields[i + 1] : [before, fields[i + 1]].flat().map(String)
  }
}
