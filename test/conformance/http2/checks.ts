/** Frames that RFC 9113 forbids or demands an answer to, by section. A PING at the end tells what is let pass. */
import * as F from './frames.js'

export interface Check {
  readonly section: string
  readonly what: string
  /** Sent after the preface and an empty SETTINGS, or alone. */
  readonly bytes: Buffer
  readonly alone?: boolean
  /** What h2spec and the RFC allow; closing the connection is always enough for an error of a connection. */
  readonly expected: 'connection' | 'stream' | 'answer' | 'ping'
}

const ping = F.frame(F.PING, 0, 0, Buffer.alloc(8, 1))
const head = (stream: number, block: Buffer, flags = F.END_STREAM | F.END_HEADERS): Buffer =>
  F.frame(F.HEADERS, flags, stream, block)
const get = head(1, F.fields(...F.GET))
/** Without END_STREAM. */
const open = head(1, F.fields([':method', 'POST'], ...F.GET.slice(1)), F.END_HEADERS)
const with_ = (...more: [string, string][]): Buffer => head(1, F.fields(...F.GET, ...more))
const without = (name: string): Buffer => head(1, F.fields(...F.GET.filter((pair) => pair[0] !== name)))

const one = (section: string, what: string, expected: Check['expected'], ...frames: Buffer[]): Check => {
  return { section, what, expected, bytes: Buffer.concat(frames) }
}

export const CHECKS: readonly Check[] = [
  {
    section: '3.4',
    what: 'a wrong preface',
    alone: true,
    expected: 'connection',
    bytes: Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'),
  },
  {
    section: '3.4',
    what: 'no SETTINGS first',
    alone: true,
    expected: 'connection',
    bytes: Buffer.concat([F.PREFACE, ping]),
  },
  one('4.1', 'a frame of an unknown type', 'ping', F.frame(99, 0, 0, [1, 2]), ping),
  one('4.1', 'unknown flags of PING', 'ping', F.frame(F.PING, 0x16, 0, Buffer.alloc(8))),
  one('4.2', 'a frame over the maximum size', 'connection', open, F.frame(F.DATA, 0, 1, Buffer.alloc(16_385))),
  one('4.2', 'a head over the maximum size', 'connection', F.frame(F.HEADERS, 5, 1, Buffer.alloc(16_385))),
  one('4.3', 'an invalid block of fields', 'connection', head(1, Buffer.from([0x40]))),
  one('4.3', 'an index out of the table', 'connection', head(1, Buffer.from([0xff, 0xff, 0x7f]))),
  one(
    '4.3',
    'PRIORITY between HEADERS and CONTINUATION',
    'connection',
    head(1, F.fields(...F.GET), 1),
    F.frame(F.PRIORITY, 0, 1, [0, 0, 0, 0, 1]),
  ),
  one(
    '4.3',
    'HEADERS of another stream before the end of a block',
    'connection',
    head(1, F.fields(...F.GET), 1),
    head(3, F.fields(...F.GET)),
  ),
  one('5.1', 'DATA on an idle stream', 'connection', F.frame(F.DATA, 1, 1, [1])),
  one('5.1', 'RST_STREAM on an idle stream', 'connection', F.frame(F.RST_STREAM, 0, 1, F.number32(8))),
  one('5.1', 'WINDOW_UPDATE on an idle stream', 'connection', F.frame(F.WINDOW_UPDATE, 0, 1, F.number32(100))),
  one('5.1', 'CONTINUATION on an idle stream', 'connection', F.frame(F.CONTINUATION, 4, 1, F.fields(...F.GET))),
  one('5.1', 'DATA on a half-closed stream', 'stream', get, F.frame(F.DATA, 1, 1, [1])),
  one('5.1', 'HEADERS on a half-closed stream', 'stream', get, get),
  one('5.1.1', 'an even stream', 'connection', head(2, F.fields(...F.GET))),
  one(
    '5.1.1',
    'a smaller stream',
    'connection',
    head(5, F.fields([':method', 'POST'], ...F.GET.slice(1)), 4),
    head(3, F.fields(...F.GET)),
  ),
  one(
    '5.3.1',
    'a stream that depends on itself',
    'answer',
    F.frame(F.HEADERS, 0x25, 1, Buffer.concat([F.number32(1), Buffer.from([1]), F.fields(...F.GET)])),
  ),
  one('5.5', 'an unknown setting', 'ping', F.frame(F.SETTINGS, 0, 0, F.setting(99, 1)), ping),
  one('6.1', 'DATA on stream 0', 'connection', F.frame(F.DATA, 0, 0, [1])),
  one('6.1', 'padding as long as the frame', 'connection', open, F.frame(F.DATA, 8, 1, [5, 1, 1])),
  one('6.2', 'HEADERS on stream 0', 'connection', head(0, F.fields(...F.GET))),
  one('6.2', 'padding longer than the head', 'connection', F.frame(F.HEADERS, 0xd, 1, [200, 1])),
  one('6.3', 'PRIORITY on stream 0', 'connection', F.frame(F.PRIORITY, 0, 0, [0, 0, 0, 0, 1])),
  one('6.3', 'PRIORITY of 4 bytes', 'stream', F.frame(F.PRIORITY, 0, 1, [0, 0, 0, 0])),
  one('6.4', 'RST_STREAM on stream 0', 'connection', F.frame(F.RST_STREAM, 0, 0, F.number32(8))),
  one('6.4', 'RST_STREAM of 3 bytes', 'connection', open, F.frame(F.RST_STREAM, 0, 1, [0, 0, 0])),
  one('6.5', 'SETTINGS with ACK and a payload', 'connection', F.frame(F.SETTINGS, 1, 0, [0])),
  one('6.5', 'SETTINGS on a stream', 'connection', F.frame(F.SETTINGS, 0, 1)),
  one('6.5', 'SETTINGS of 5 bytes', 'connection', F.frame(F.SETTINGS, 0, 0, [0, 1, 0, 0, 0])),
  one('6.5.2', 'ENABLE_PUSH of 2', 'connection', F.frame(F.SETTINGS, 0, 0, F.setting(2, 2))),
  one('6.5.2', 'an initial window over 2^31 - 1', 'connection', F.frame(F.SETTINGS, 0, 0, F.setting(4, 2 ** 31))),
  one('6.5.2', 'a maximum frame below 16,384', 'connection', F.frame(F.SETTINGS, 0, 0, F.setting(5, 100))),
  one('6.5.2', 'a maximum frame over 2^24 - 1', 'connection', F.frame(F.SETTINGS, 0, 0, F.setting(5, 2 ** 24))),
  one(
    '6.6',
    'PUSH_PROMISE of a client',
    'connection',
    F.frame(F.PUSH_PROMISE, 4, 1, Buffer.concat([F.number32(2), F.fields(...F.GET)])),
  ),
  one('6.7', 'PING', 'ping', ping),
  one('6.7', 'PING on a stream', 'connection', F.frame(F.PING, 0, 1, Buffer.alloc(8))),
  one('6.7', 'PING of 6 bytes', 'connection', F.frame(F.PING, 0, 0, Buffer.alloc(6))),
  one('6.8', 'GOAWAY on a stream', 'connection', F.frame(F.GOAWAY, 0, 1, Buffer.alloc(8))),
  one('6.9', 'WINDOW_UPDATE of 0', 'connection', F.frame(F.WINDOW_UPDATE, 0, 0, F.number32(0))),
  one('6.9', 'WINDOW_UPDATE of 0 on a stream', 'stream', open, F.frame(F.WINDOW_UPDATE, 0, 1, F.number32(0))),
  one('6.9', 'WINDOW_UPDATE of 3 bytes', 'connection', F.frame(F.WINDOW_UPDATE, 0, 0, [0, 0, 1])),
  one(
    '6.9.1',
    'a window over 2^31 - 1',
    'connection',
    F.frame(F.WINDOW_UPDATE, 0, 0, F.number32(2 ** 31 - 1)),
    F.frame(F.WINDOW_UPDATE, 0, 0, F.number32(2 ** 31 - 1)),
  ),
  one(
    '6.10',
    'CONTINUATION after END_HEADERS',
    'connection',
    open,
    F.frame(F.CONTINUATION, 4, 1, F.fields(['x', 'y'])),
  ),
  one(
    '6.10',
    'CONTINUATION on stream 0',
    'connection',
    head(1, F.fields(...F.GET), 1),
    F.frame(F.CONTINUATION, 4, 0, F.fields(['x', 'y'])),
  ),
  one(
    '6.10',
    'a head in CONTINUATION',
    'answer',
    head(1, F.fields(...F.GET), 1),
    F.frame(F.CONTINUATION, 4, 1, F.fields(['x', 'y'])),
  ),
  one('8.1', 'a request', 'answer', get),
  one('8.1', 'trailers without END_STREAM', 'stream', open, head(1, F.fields(['x', 'y']), 4)),
  one('8.2.1', 'a name in upper case', 'stream', with_(['X-Upper', '1'])),
  one('8.2.1', 'a value with a line feed', 'stream', with_(['x', 'a\nb'])),
  ...['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'].map((name) =>
    one('8.2.2', name, 'stream', with_([name, 'x'])),
  ),
  one('8.2.2', 'TE other than trailers', 'stream', with_(['te', 'gzip'])),
  one('8.2.2', 'TE of trailers', 'answer', with_(['te', 'trailers'])),
  one('8.3', 'an unknown pseudo-field', 'stream', with_([':x', '1'])),
  one('8.3', ':status in a request', 'stream', with_([':status', '200'])),
  one('8.3', 'a pseudo-field behind a field', 'stream', head(1, F.fields(['x', 'y'], ...F.GET))),
  one('8.3', 'a pseudo-field as trailer', 'stream', open, head(1, F.fields([':path', '/']))),
  ...[':method', ':scheme', ':path'].map((name) => one('8.3.1', `no ${name}`, 'stream', without(name))),
  ...F.GET.map(([name, value]) => one('8.3.1', `two ${name}`, 'stream', with_([name, value]))),
  one('8.3.1', 'an empty :path', 'stream', head(1, F.fields(F.GET[0], F.GET[1], [':path', ''], F.GET[3]))),
  one(
    '8.1.1',
    'a body shorter than its length',
    'stream',
    head(1, F.fields([':method', 'POST'], ...F.GET.slice(1), ['content-length', '2']), 4),
    F.frame(F.DATA, 1, 1, [1]),
  ),
  one(
    '8.1.1',
    'a body longer than its length',
    'stream',
    head(1, F.fields([':method', 'POST'], ...F.GET.slice(1), ['content-length', '1']), 4),
    F.frame(F.DATA, 1, 1, [1, 2]),
  ),
]
