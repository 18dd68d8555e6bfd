/** Messages of a channel are separated from all else on a connection, however its bytes are cut, and nothing else is changed. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Decoder } from 'ioredis/built/resp/decoder.js'
import { MessageDemux } from '../../src/engines/redis/wire/message-demux.js'

const CHANNEL = '{ts:default}:messages:p1'

const blob = (bytes: string | Uint8Array, mark = '$'): Buffer =>
  Buffer.concat([Buffer.from(`${mark}${Buffer.from(bytes).length}\r\n`), Buffer.from(bytes), Buffer.from('\r\n')])
const list = (mark: string, length: number, items: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(`${mark}${length}\r\n`), ...items])
const push = (...items: readonly (string | Uint8Array)[]): Buffer =>
  list(
    '>',
    items.length,
    items.map((item) => blob(item)),
  )
const message = (bytes: string | Uint8Array): Buffer => push('smessage', CHANNEL, bytes)
const HEAD = message('').subarray(0, -5).toString()

/** Bytes that may look like the head of a message. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(HEAD, `${HEAD}3\r\nabc\r\n`, '\r\n', '>3\r\n$8\r\nsmess').map((text) => Buffer.from(text)),
)
const line = fc.constantFrom(
  '+OK',
  '-ERR no',
  ':0',
  ':-17',
  ':40000',
  '_',
  '#t',
  '#f',
  ',1.5',
  '(123456789012345678901',
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    line.map((text) => Buffer.from(`${text}\r\n`)),
    fc.constantFrom('$-1\r\n', '*-1\r\n', '*0\r\n', '%0\r\n').map((text) => Buffer.from(text)),
    content.map((bytes) => blob(bytes)),
    content.map((bytes) => blob(bytes, '!')),
    content.map((bytes) => blob(Buffer.concat([Buffer.from('txt:'), bytes]), '=')),
    fc
      .tuple(fc.constantFrom('*', '~'), fc.array(tie('value') as fc.Arbitrary<Buffer>, { maxLength: 4 }))
      .map(([mark, items]) => list(mark, items.length, items)),
    fc.array(fc.tuple(content, tie('value') as fc.Arbitrary<Buffer>), { maxLength: 3 }).map((pairs) =>
      list(
        '%',
        pairs.length,
        pairs.flatMap(([key, item]) => [blob(key), item]),
      ),
    ),
  ),
})) as { value: fc.Arbitrary<Buffer> }
const sent = fc.oneof(
  value,
  content.map(message),
  content.map((bytes) => push('smessage', `${CHANNEL}2`, bytes)),
  content.map((bytes) => push('message', CHANNEL, bytes)),
  fc.constant(list('>', 3, [blob('ssubscribe'), blob(CHANNEL), Buffer.from(':1\r\n')])),
)

/** What the client's decoder reads, as texts. Messages of the channel that have no bytes are left out. */
function decoderTo(events: string[]): Decoder {
  const text = (item: unknown): string =>
    JSON.stringify(item, (_, each) => (each?.type === 'Buffer' ? Buffer.from(each.data).toString('hex') : each))
  return new Decoder({
    getTypeMapping: () => ({
      43: Buffer,
      36: Buffer,
      61: Buffer,
      44: Buffer,
      40: String,
      35: Number,
      37: Array,
      126: Array,
    }),
    onReply: (reply: unknown) => events.push(`reply ${text(reply)}`),
    onErrorReply: (error: Error) => events.push(`error ${error.message}`),
    onPush: (items: Buffer[]) => {
      const isOurs = String(items[0]) === 'smessage' && String(items[1]) === CHANNEL
      if (!isOurs) events.push(`push ${text(items)}`)
      else if (items[2]!.length > 0) events.push(`message ${items[2]!.toString('hex')}`)
    },
  } as never)
}

function demuxTo(events: string[]): { demux: MessageDemux; passed: Buffer[] } {
  const passed: Buffer[] = []
  const decoder = decoderTo(events)
  const demux = new MessageDemux({
    channel: CHANNEL,
    onPart(part, isFirst) {
      if (isFirst) events.push('message ')
      events[events.length - 1] += part.toString('hex')
    },
    pass(bytes) {
      passed.push(bytes)
      decoder.write(bytes)
    },
  })
  return { demux, passed }
}

function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const next = at + (cuts[i % cuts.length] ?? bytes.length)
    yield bytes.subarray(at, next)
    at = next
  }
}
const someCuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 400 })), {
  maxLength: 20,
})

test("replies and messages are what the client's decoder reads, in that order, however they are cut", () => {
  const property = fc.property(fc.array(sent, { maxLength: 12 }), someCuts, (values, cuts) => {
    const bytes = Buffer.concat(values)
    const expected: string[] = []
    decoderTo(expected).write(Buffer.from(bytes))
    const events: string[] = []
    const { demux, passed } = demuxTo(events)
    for (const piece of pieces(bytes, cuts)) demux.read(piece)
    expect(events).toEqual(expected)
    // None of them takes the way through the decoder.
    expect(Buffer.concat(passed).includes(`>3\r\n$8\r\nsmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n`)).toBe(
      Buffer.concat(values.filter((each) => !each.toString().startsWith(HEAD))).includes(HEAD),
    )
  })
  fc.assert(property, { numRuns: 1_000 })
})

test('a large message is passed on in the memory in which it arrived', () => {
  const parts: Buffer[] = []
  const demux = new MessageDemux({ channel: CHANNEL, onPart: (part) => parts.push(part), pass: () => {} })
  const bytes = message(Buffer.alloc(300_000, 'x'))
  const arrived = [...pieces(bytes, [65_536])].map((piece) => Buffer.from(piece))
  for (const piece of arrived) demux.read(piece)
  expect(parts.map(({ buffer }) => buffer)).toEqual(arrived.map(({ buffer }) => buffer))
  expect(Buffer.concat(parts).equals(Buffer.alloc(300_000, 'x'))).toBe(true)
})

test('bytes that are not RESP3 reach the decoder unchanged, and all that is behind them', () => {
  const junk = fc.oneof(
    content,
    sent,
    fc.constantFrom(`${HEAD}-1\r\n`, `${HEAD}\r\n`, `${HEAD}1x\r\n`, '*x\r\n', '$9\r'),
  )
  const property = fc.property(fc.array(junk, { maxLength: 8 }), someCuts, (values, cuts) => {
    const bytes = Buffer.concat([Buffer.from('?\r\n'), ...values.map((each) => Buffer.from(each))])
    const passed: Buffer[] = []
    const onPart = (): never => {
      throw new Error('a message behind what is not RESP3')
    }
    const demux = new MessageDemux({ channel: CHANNEL, onPart, pass: (each) => passed.push(each) })
    for (const piece of pieces(bytes, cuts)) demux.read(piece)
    expect(Buffer.concat(passed).equals(bytes)).toBe(true)
  })
  fc.assert(property, { numRuns: 300 })
})

test.each([`${HEAD}-1\r\n`, `${HEAD}\r\n`, `${HEAD}1x\r\n`, `${HEAD} 1\r\n`])(
  'a head without a length goes to the decoder: %j',
  (text) => {
    for (const cuts of [[1], [40], [1_000]]) {
      const passed: Buffer[] = []
      const demux = new MessageDemux({ channel: CHANNEL, onPart: () => {}, pass: (each) => passed.push(each) })
      for (const piece of pieces(Buffer.from(text), cuts)) demux.read(piece)
      expect(Buffer.concat(passed).toString()).toBe(text)
    }
  },
)

test.each(['536870913', '9999999999', '0000000000', '9'.repeat(100)])('a length of %s is refused', (length) => {
  for (const cuts of [[1], [40], [1_000]]) {
    const demux = new MessageDemux({ channel: CHANNEL, onPart: () => {}, pass: () => {} })
    const read = (): void => {
      for (const piece of pieces(Buffer.from(`${HEAD}${length}`), cuts)) demux.read(piece)
    }
    expect(read).toThrow(/bytes or more/)
  }
})
