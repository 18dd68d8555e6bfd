/** The requests that a server may run of the bytes of a connection, read by the rules of RFC 9112: an upper bound. */

export interface Admissible {
  readonly method: string
  readonly target: string
  readonly body: string
}

const LINE = /^([!#$%&'*+.^_`|~\w-]+) +([!-~]+) +HTTP\/1\.([01])$/
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[\t ]*([^\0\r\n]*?)[\t ]*$/
const HOST = /^(?:[\w.~!$&'()*+;=%-]+|\[[\da-f:.]+\])(?::\d*)?$/i
const CHUNK = /^([\da-f]+)[\t ]*(?:;[^\r\n]*)?$/i

/** Reads from a position; `undefined` is returned where the bytes end early or are malformed: nothing behind them runs. */
class Reader {
  at = 0

  constructor(readonly text: string) {}

  /** The next line, which ends with CRLF. */
  line(): string | undefined {
    const end = this.text.indexOf('\r\n', this.at)
    if (end < 0) return undefined
    const line = this.text.slice(this.at, end)
    this.at = end + 2
    // A bare CR or LF ends a line for some software.
    return /[\r\n]/.test(line) ? undefined : line
  }

  bytes(count: number): string | undefined {
    if (this.at + count > this.text.length) return undefined
    this.at += count
    return this.text.slice(this.at - count, this.at)
  }

  fields(): [name: string, value: string][] | undefined {
    const fields: [string, string][] = []
    for (let line = this.line(); line !== ''; line = this.line()) {
      const [, name, value] = (line !== undefined && FIELD.exec(line)) || []
      if (name === undefined || value === undefined) return undefined
      fields.push([name.toLowerCase(), value])
    }
    return fields
  }

  chunks(): string | undefined {
    for (let body = ''; ; ) {
      const [, hex] = CHUNK.exec(this.line() ?? '') ?? []
      if (hex === undefined) return undefined
      const size = Number.parseInt(hex, 16)
      if (size === 0) return this.fields() && body
      const chunk = this.bytes(size)
      if (chunk === undefined || this.bytes(2) !== '\r\n') return undefined
      body += chunk
    }
  }
}

export function admissibleIn(bytes: Buffer): Admissible[] {
  const reader = new Reader(bytes.toString('latin1'))
  const requests: Admissible[] = []
  for (;;) {
    while (/[\r\n]/.test(reader.text.charAt(reader.at))) reader.at++
    const [, method, target, minor] = LINE.exec(reader.line() ?? '') ?? []
    const fields = reader.fields()
    if (method === undefined || target === undefined || !fields) return requests
    const valuesOf = (name: string): string[] => fields.filter(([key]) => key === name).map(([, value]) => value)
    const hosts = valuesOf('host')
    // §3.2: exactly one, except in HTTP/1.0.
    if (hosts.length > 1 || !hosts.every((host) => HOST.test(host)) || (hosts.length === 0 && minor === '1'))
      return requests
    const path = pathOf(method, target)
    if (path === undefined || method === 'CONNECT') return requests
    const codings = valuesOf('transfer-encoding')
    const lengths = valuesOf('content-length')
    // §6.1 and §6.3.
    if (codings.length > 1 || lengths.length > 1 || (codings.length > 0 && lengths.length > 0)) return requests
    if (codings.length > 0 && (minor === '0' || codings[0]?.toLowerCase() !== 'chunked')) return requests
    if (lengths.length > 0 && !/^\d+$/.test(lengths[0] as string)) return requests
    if (valuesOf('expect').some((value) => value.toLowerCase() !== '100-continue')) return requests
    const body = codings.length > 0 ? reader.chunks() : reader.bytes(Number(lengths[0] ?? 0))
    if (body === undefined) return requests
    requests.push({ method, target: path, body })
    const options = valuesOf('connection')
      .join(',')
      .toLowerCase()
      .split(',')
      .map((option) => option.trim())
    const isLast = options.includes('close') || (minor === '0' && !options.includes('keep-alive'))
    const switches = options.includes('upgrade') && valuesOf('upgrade').join().toLowerCase() === 'websocket'
    if (isLast || switches) return requests
  }
}

/** §3.2: the target in origin-form. */
function pathOf(method: string, target: string): string | undefined {
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) return target
  const [, host, path] = /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(target) ?? []
  if (host === undefined || path === undefined || !HOST.test(host)) return undefined
  return path.startsWith('/') ? path : `/${path}`
}
