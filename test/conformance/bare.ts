/** A bare (req, res) function: answers in every way of Node's own API, or tells all that it saw of a request. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { plainApp } from '../workers/apps/plain.js'

const WAYS = new Set(
  ['end', 'nothing', 'write-twice', 'encoding', 'bytes', 'write-head', 'write-head-list', 'write-head-mixed'].concat(
    ['chunked', 'trailers', 'length', 'latin1', 'flushed', 'continue', 'not-modified', 'no-content', 'connection'],
    ['bad-header', 'flags', 'slow-writes', 'reused-memory'],
  ),
)

export function bareApp(req: IncomingMessage, res: ServerResponse): void {
  const { pathname, searchParams } = new URL(req.url!.replace(/^\/*/, '/'), 'http://bare.example')
  if (pathname === '/answer') return answer(searchParams, res)
  if (WAYS.has(pathname.slice(1))) return plainApp(req, res)
  const hash = createHash('sha256')
  let bytes = 0
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    hash.update(chunk)
  })
  req.on('end', () => {
    const { method, url, httpVersion, rawHeaders, rawTrailers, complete, socket } = req
    const body = [bytes, hash.digest('hex')]
    const seen = { method, url, httpVersion, headers: fieldsIn(rawHeaders), joined: req.headers, body, complete }
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ ...seen, trailers: fieldsIn(rawTrailers), ip: socket.remoteAddress }))
  })
}

/** The answer that the query asks for: `status`, `body`, and any number of `field=Name:value`. */
function answer(query: URLSearchParams, res: ServerResponse): void {
  const fields = query
    .getAll('field')
    .flatMap((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1)])
  const status = Number(query.get('status') ?? 200)
  res.writeHead(status, query.get('reason') ?? undefined, fields as never)
  res.end(query.get('body') ?? '')
}

const fieldsIn = (raw: readonly string[]): string[] =>
  raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []))
