/** The decoders of bytes that come from Redis and from proxies, each with valid inputs to begin from. Any input gives a value or an error. */
import { isDeepStrictEqual } from 'node:util'
import { readProxyHeader } from '../../gateway/proxy-header.js'
import { bodyWithChecksum, checkedBody } from '../../src/engines/redis/checksum.js'
import { parseRecord } from '../../src/engines/redis/record.js'
import { EncodedChange, leaseHead, sessionIn } from '../../src/engines/redis/session-record.js'
import { headOf, readItems, readPage } from '../../src/engines/redis/wire/push.js'
import { decodeFields, encodeFields } from '../../src/entry/codec.js'
import { deadLetterEntry } from '../../src/entry/dead-letter.js'
import { readSignature } from '../../src/entry/signature.js'
import { lengthOfHead } from '../../src/request/lines.js'
import {
  decodeRequest,
  decodeResponse,
  decodeTrailers,
  encodePlace,
  encodeRequest,
  encodeResponse,
  encodeTrailers,
  placeIn,
} from '../../src/request/message.js'
import { MessagesIn } from '../../src/request/streams/messages-in.js'
import { deadLetterOf } from '../../src/tasks/dead-letter.js'
import { decodeCall, decodeOutcome, encodeCall, encodeOutcome } from '../../src/tasks/message.js'
import { decodeProgress } from '../../src/tasks/progress.js'

export interface Decoder {
  readonly name: string
  /** Valid inputs. */
  readonly seeds: readonly Buffer[]
  decode(bytes: Buffer): unknown
}

const NOW = 1_796_000_000_000
const nothing = (): void => {}

const request = encodeRequest({
  method: 'POST',
  target: '/orders?id=1',
  httpVersion: '1.1',
  headers: ['Host', 'example', 'Content-Type', 'application/json'],
  body: Buffer.from('{"n":1}'),
  peer: '127.0.0.1',
  secure: false,
  peerPort: 1,
  localAddress: '127.0.0.1',
  localPort: 80,
  client: { address: '203.0.113.7', protocol: 'https', host: 'shop.example' },
  id: 'of-the-proxy',
})
const plain = { method: 'TASK', target: 'größe ändern 大', httpVersion: '1.0', peer: '', secure: true }
const streamed = encodeRequest({ ...plain, headers: [], body: Buffer.alloc(0), more: 'body' })
const response = encodeResponse({ status: 200, reason: 'OK', headers: ['A', 'b'], body: Buffer.from('ok') })
const trailers = ['X-Sum', '1', 'X-Empty', '']
const trailed = encodeResponse({ status: 200, reason: '', headers: [], trailers, body: Buffer.from('ok') })

/** A decoded message that is not the same when it is written and read again: a value has become two, or part of another. */
class Smuggled {
  readonly message: unknown
  constructor(message: unknown) {
    this.message = message
  }
}

/** Returns a decoder whose values are written and read again. Throws Smuggled, which is no error, so it is a finding. */
const twice =
  <T>(decode: (bytes: Buffer) => T, encode: (value: T) => Buffer) =>
  (bytes: Buffer): T => {
    const value = decode(bytes)
    if (!isDeepStrictEqual(decode(encode(value)), value)) throw new Smuggled(value)
    return value
  }
const fields = encodeFields({
  n: 1,
  text: 'x',
  at: new Date(0),
  big: 12n,
  bytes: new Uint8Array([1]),
  list: [{ a: null }],
})
const record = (typed: string, behind: string): Buffer =>
  Buffer.from(`${NOW}${NOW}0${'4503599627370497'}${typed}123${behind}00000000{"n":1}`)
const signed = { kinds: ['takespace.Request'], indexed: ['service=s:web'], verified: [] }
const change = {
  leaseMs: 1,
  isNew: true,
  set: [['cart', '[]'] as const, ['n', '1'] as const],
  removed: [],
  owner: 'me',
}
const changed = new EncodedChange({ ...change, lock: '', maxBytes: 100 }, 'v'.repeat(16)).batched().contents as string
const dead = { kinds: ['takespace.DeadLetter'], deaths: 1, writtenAt: NOW, priority: 0, remainingMs: 1, id: 'a' }

export const DECODERS: readonly Decoder[] = [
  {
    name: 'pushes',
    seeds: [Buffer.from(`${NOW}ab12_7\ndo1\tid:1.1\t3\nabcoid\t\t2\nok`)],
    decode: (bytes) => {
      const head = headOf(bytes)
      return head && readItems(bytes, head, nothing)
    },
  },
  { name: 'pages', seeds: [Buffer.from(`${NOW}iid\t\t3\nabc`)], decode: (bytes) => readPage(bytes, nothing) },
  {
    name: 'stream messages',
    seeds: [Buffer.from('presence\ndclaim\t0\t3\nabcgclaim\t10\t0\n')],
    decode: (bytes) => new MessagesIn(nothing).read(bytes, true),
  },
  {
    name: 'records',
    seeds: [record('e.', '|@Job|n=n:1|;|\n'), record('q@', `${'p'.repeat(22)}3|@takespace.Request|service=s:web|;|\n`)],
    decode: (bytes) => parseRecord('id', bytes, NOW),
  },
  { name: 'large bodies', seeds: [bodyWithChecksum(Buffer.from('x'.repeat(100)))], decode: checkedBody },
  {
    name: 'session entries',
    seeds: [Buffer.from(leaseHead(String(NOW)) + changed.slice(leaseHead(String(NOW)).length))],
    decode: (bytes) => sessionIn(bytes, NOW, ''),
  },
  { name: 'fields', seeds: [fields], decode: decodeFields },
  { name: 'requests', seeds: [request, streamed], decode: twice(decodeRequest, encodeRequest) },
  { name: 'responses', seeds: [response, trailed], decode: twice(decodeResponse, encodeResponse) },
  { name: 'trailers', seeds: [encodeTrailers(trailers)], decode: twice(decodeTrailers, encodeTrailers) },
  { name: 'beginnings of heads', seeds: [response, request], decode: lengthOfHead },
  { name: 'stream places', seeds: [encodePlace({ claim: 'a:b', holder: 'c' }), response], decode: placeIn },
  {
    name: 'task calls',
    seeds: [encodeRequest(encodeCall('resize', { width: 1 }, { attempt: 2, deadLettersOnFailure: true }))],
    decode: (bytes) => decodeCall(decodeRequest(bytes)),
  },
  {
    name: 'task outcomes',
    seeds: [
      encodeResponse(encodeOutcome({ kind: 'done', value: { a: [1] } })),
      encodeResponse(encodeOutcome({ kind: 'failed', failure: { name: 'E', message: 'm', code: 1 } })),
    ],
    decode: (bytes) => decodeOutcome(decodeResponse(bytes)),
  },
  { name: 'progress', seeds: [encodeFields({ progress: 1, phase: 'x' })], decode: decodeProgress },
  {
    name: 'dead letters',
    seeds: [deadLetterEntry('a', 'exhausted', signed, request, 0).body],
    decode: (body) => deadLetterOf({ ...dead, body }),
  },
  {
    name: 'signatures',
    seeds: [Buffer.from('|@Job|@Task|n=n:1|;|a=s:x|')],
    decode: (bytes) => readSignature(bytes.toString()),
  },
  {
    name: 'PROXY headers',
    seeds: [
      Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 12345 443\r\nGET / HTTP/1.1\r\n'),
      Buffer.from('PROXY TCP6 2001:db8::7 ::1 12345 443\r\n'),
      Buffer.from('0d0a0d0a000d0a515549540a21110014cb007107c0000201303901bb2000050100000000', 'hex'),
    ],
    decode: readProxyHeader,
  },
]
