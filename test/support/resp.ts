/** One Redis command over a socket of its own: for tests that must not depend on the client under test. */
import { connect } from 'node:net'

type Reply = string | number | null | Error | Reply[]

const encode = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`

/** Reads one RESP2 reply from `at`; undefined while it is incomplete. */
function parse(bytes: Buffer, at: number): { reply: Reply; end: number } | undefined {
  const eol = bytes.indexOf('\r\n', at)
  if (eol < 0) return undefined
  const line = bytes.toString('utf8', at + 1, eol)
  const next = eol + 2
  const mark = String.fromCharCode(bytes[at] ?? 0)
  if (mark === '+') return { reply: line, end: next }
  if (mark === '-') return { reply: new Error(line), end: next }
  if (mark === ':') return { reply: Number(line), end: next }
  const length = Number(line)
  if (length < 0) return { reply: null, end: next }
  if (mark === '$') {
    if (bytes.length < next + length + 2) return undefined
    return { reply: bytes.toString('utf8', next, next + length), end: next + length + 2 }
  }
  const items: Reply[] = []
  let end = next
  for (let i = 0; i < length; i++) {
    const item = parse(bytes, end)
    if (!item) return undefined
    items.push(item.reply)
    end = item.end
  }
  return { reply: items, end }
}

/** As redis-cli prints it when its output is no terminal: one line per element, nothing for null. */
function text(reply: Reply): string {
  if (Array.isArray(reply)) return reply.map(text).join('\n')
  return reply === null ? '' : String(reply)
}

/** The reply as text; rejects with what the server refuses, and when the connection ends first. */
export function command(port: number, args: readonly string[], timeoutMs = 10_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let bytes: Buffer = Buffer.alloc(0)
    const settle = (act: () => void): void => {
      act()
      socket.destroy()
    }
    const fail = (error: Error): void => settle(() => reject(error))
    socket.setTimeout(timeoutMs, () => fail(new Error(`no reply to ${args[0]} within ${timeoutMs} ms`)))
    socket.on('connect', () => socket.write(encode(args)))
    socket.on('error', fail)
    socket.on('close', () => fail(new Error(`the connection closed before the reply to ${args[0]}`)))
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      const parsed = parse(bytes, 0)
      if (!parsed) return
      if (parsed.reply instanceof Error) fail(parsed.reply)
      else settle(() => resolve(text(parsed.reply)))
    })
  })
}
