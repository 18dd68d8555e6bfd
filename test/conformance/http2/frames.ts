/** A client of HTTP/2 that writes frames byte by byte, and tells how the other end has answered them (RFC 9113 §4). */
import { connect, type Socket } from 'node:net'

export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

/** `:status: 200` in the static table (RFC 7541 Appendix A). */
const STATUS_200 = 0x88

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(type: number, flags: number, stream: number, payload: Buffer | readonly number[] = []): Buffer {
  const body = Buffer.from(payload as Buffer)
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

export const number32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** One setting (RFC 9113 §6.5.1). */
export const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), number32(value)])

/** HPACK literals without indexing, names and values as they are (RFC 7541 §6.2.2). */
export const fields = (...pairs: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const prefix = [127]
  let left = bytes.length - 127
  for (; left >= 128; left >>= 7) prefix.push((left & 127) | 128)
  return Buffer.concat([Buffer.from([...prefix, left]), bytes])
}

export const GET = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.example'],
] as const

export interface Outcome {
  /** `GOAWAY`, `RST_STREAM`, `ANSWER` (200), `REFUSAL` (another status), `PING`, or `CLOSED` without any. */
  readonly ended: string
  /** Error code of GOAWAY or RST_STREAM. */
  readonly code: number | undefined
}

/** A connection on which the preface, and an empty SETTINGS if `greets`, has been sent. */
export class Frames {
  readonly socket: Socket
  isClosed = false
  readonly received: { readonly type: number; readonly flags: number; readonly payload: Buffer }[] = []
  #rest: Buffer = Buffer.alloc(0)
  #check = (): void => {}

  constructor(port: number, greets = true) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
      this.#check()
    })
    this.socket.on('data', (chunk: Buffer) => this.#read(chunk))
    if (greets) this.send(PREFACE, frame(SETTINGS, 0, 0))
  }

  send(...frames: readonly Buffer[]): boolean {
    return this.isClosed ? false : this.socket.write(Buffer.concat(frames))
  }

  /** Resolves with the first frame that decides, or with the end of the connection. */
  outcome(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#check = () => {
        const goaway = this.received.find(({ type }) => type === GOAWAY)
        if (goaway) return resolve({ ended: 'GOAWAY', code: goaway.payload.readUInt32BE(4) })
        const reset = this.received.find(({ type }) => type === RST_STREAM)
        if (reset) return resolve({ ended: 'RST_STREAM', code: reset.payload.readUInt32BE(0) })
        const head = this.received.find(({ type }) => type === HEADERS)
        if (head) return resolve({ ended: head.payload[0] === STATUS_200 ? 'ANSWER' : 'REFUSAL', code: undefined })
        if (this.received.some(({ type, flags }) => type === PING && flags === ACK))
          return resolve({ ended: 'PING', code: undefined })
        if (this.isClosed) resolve({ ended: 'CLOSED', code: undefined })
      }
      this.#check()
    })
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      if (this.#rest.length < 9) break
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) break
      const [type, flags] = [this.#rest[3]!, this.#rest[4]!]
      this.received.push({ type, flags, payload: this.#rest.subarray(9, 9 + length) })
      this.#rest = this.#rest.subarray(9 + length)
    }
    this.#check()
  }
}
