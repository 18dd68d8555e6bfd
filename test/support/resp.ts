/** Redis commands over a socket of our own: for tests that must not depend on the client under test. */
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

export interface Dialled {
  /** The reply as redis-cli would print it; rejects with what the server refuses, and when the connection ends first. */
  ask(...args: string[]): Promise<string>
  close(): void
}

interface Asked {
  readonly name: string
  resolve(reply: string): void
  reject(error: Error): void
}

/** A connection for many commands. One that gets no reply for `timeoutMs` ends. */
export function dial(port: number, timeoutMs = 10_000): Dialled {
  const socket = connect(port, '127.0.0.1')
  const asked: Asked[] = []
  let bytes: Buffer = Buffer.alloc(0)
  let over: ((name: string) => Error) | undefined
  const fail = (why: (name: string) => Error): void => {
    over ??= why
    for (const { name, reject } of asked.splice(0)) reject(over(name))
    socket.destroy()
  }
  socket.setTimeout(timeoutMs, () => {
    if (asked.length > 0) fail((name) => new Error(`no reply to ${name} within ${timeoutMs} ms`))
  })
  socket.on('error', (error) => fail(() => error))
  socket.on('close', () => fail((name) => new Error(`the connection closed before the reply to ${name}`)))
  socket.on('data', (chunk) => {
    bytes = bytes.length > 0 ? Buffer.concat([bytes, chunk]) : chunk
    for (let parsed = parse(bytes, 0); parsed; parsed = bytes.length > 0 ? parse(bytes, 0) : undefined) {
      bytes = bytes.subarray(parsed.end)
      const { reply } = parsed
      const next = asked.shift()
      if (reply instanceof Error) next?.reject(reply)
      else next?.resolve(text(reply))
    }
  })
  return {
    ask: (...args) =>
      new Promise((resolve, reject) => {
        const [name = ''] = args
        if (over) return reject(over(name))
        asked.push({ name, resolve, reject })
        // What is written before the connection is there waits for it.
        socket.write(encode(args))
      }),
    close: () => void socket.destroy(),
  }
}

/** One command over a connection of its own, after AUTH if there is a password; resolves and rejects as `ask`. */
export async function command(
  port: number,
  args: readonly string[],
  timeoutMs = 10_000,
  password?: string,
): Promise<string> {
  const dialled = dial(port, timeoutMs)
  try {
    if (password !== undefined) await dialled.ask('AUTH', password)
    return await dialled.ask(...args)
  } finally {
    dialled.close()
  }
}
