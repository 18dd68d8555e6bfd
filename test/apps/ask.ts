/** One HTTP request over a connection of its own, and its whole answer as it came. */
import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Answer, Asked } from './app.js'

/** Longer than any app of these takes; a step that hangs says so. */
const MOST_MS = 60_000

export function ask(url: string, method: string, { headers = {}, body }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const signal = AbortSignal.timeout(MOST_MS)
    const asked = request(url, { method, agent: false, headers: { ...length, ...headers }, signal }, (answer) => {
      const { statusCode = 0, statusMessage = '', rawHeaders } = answer
      const fields = rawHeaders.flatMap((name, i) =>
        i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!] as const] : [],
      )
      fields.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      buffer(answer).then((body) => resolve({ status: statusCode, reason: statusMessage, fields, body }), reject)
    })
    asked.on('error', (cause) => reject(new Error(`${method} ${url} failed: ${cause.message}`, { cause })))
    asked.end(body)
  })
}
