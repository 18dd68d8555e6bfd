/** Requests to a dashboard as a browser on this machine sends them, and their answers. */
import type { Dashboard } from '../../src/dashboard/index.js'

export interface Ask {
  readonly method?: string
  /** Sent as JSON; with it the method is POST. */
  readonly body?: object
  /** Beside, or instead of, those of a browser; undefined: not sent. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Of the peer. */
  readonly address?: string | undefined
}

export interface Asked {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests compare what comes
  readonly json: any
  /** Of lines of JSON. */
  readonly lines: readonly Readonly<Record<string, unknown>>[]
}

export const HOST = 'localhost:9096'
export const ORIGIN = `http://${HOST}`

/** @param path from the root, or below `/api/v1/` */
export async function ask(dashboard: Dashboard, path: string, asks: Ask = {}): Promise<Asked> {
  const { body, method = body ? 'POST' : 'GET', address = '127.0.0.1' } = asks
  const ofBrowser = { host: HOST, 'sec-fetch-site': 'same-origin' }
  const ofAct = body ? { origin: ORIGIN, 'content-type': 'application/json' } : {}
  const headers = new Headers()
  for (const [name, value] of Object.entries({ ...ofBrowser, ...ofAct, ...asks.headers })) {
    if (value !== undefined) headers.set(name, value)
  }
  const url = `http://inside${path.startsWith('/') ? path : `/api/v1/${path}`}`
  const request = new Request(url, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const response = await dashboard.fetch(request, { incoming: { socket: { remoteAddress: address } } })
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  const isLines = response.headers.get('content-type') === 'application/x-ndjson'
  if (!isJson && !isLines) await response.body?.cancel()
  const text = isLines ? await response.text() : ''
  const lines = text.split('\n').slice(0, -1)
  return {
    status: response.status,
    headers: response.headers,
    json: isJson && (await response.json()),
    lines: lines.map((line) => JSON.parse(line)),
  }
}
