/** Direct connections between streams: who gets one, and that no byte is lost, mixed or piled up whatever happens to them. */
import { connect, Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { silent } from '../../src/log.js'
import { directTerms } from '../../src/request/streams/direct/address.js'
import { guestLine } from '../../src/request/streams/direct/proof.js'
import { FramesIn } from '../../src/request/streams/frames-in.js'
import { Streams } from '../../src/request/streams/index.js'
import { MessagesIn } from '../../src/request/streams/messages-in.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { until } from '../support/until.js'
import { Wire } from './wire.js'

const MOST = 65_536
const BOUNDS = { maxStreamBytes: MOST, maxStreamingBytes: 10 * MOST }

const opened: Streams[] = []
let timer: NodeJS.Timeout | undefined
afterEach(() => {
  for (const streams of opened.splice(0)) streams.close()
  clearInterval(timer)
})

/** Delivers messages by itself. */
function movingWire(): Wire {
  const wire = new Wire()
  timer = setInterval(() => void wire.settle(), 1)
  return wire
}

let presences = 0
/** The name of a presence that no other test uses: its socket is named so. */
const presence = (): string => `test-${process.pid}-${++presences}`

async function open(wire: Wire, name: string, directStreams = 'host'): Promise<Streams> {
  const streams = new Streams(wire.engine(name), BOUNDS, directTerms(directStreams))
  opened.push(streams)
  await streams.ready()
  return streams
}

/** A gateway and a worker with a stream between them. */
async function pair(wire: Wire) {
  const [at, of] = [presence(), presence()]
  const gateway = await open(wire, at)
  await gateway.listen(silent)
  const worker = await open(wire, of)
  return { gateway, worker, at, of }
}

interface Got {
  bytes: Buffer[]
  ended: boolean
  broken: string | undefined
}

function read(streams: Streams, id: string, from: string, takes = (): boolean => true) {
  const got: Got = { bytes: [], ended: false, broken: undefined }
  const reader = streams.reader(id, from)
  reader.read({
    onChunk(chunk) {
      got.bytes.push(Buffer.from(chunk))
      return takes()
    },
    onEnd() {
      got.ended = true
    },
    onBroken(reason) {
      got.broken = reason
    },
  })
  return { got, reader }
}

function numbered(length: number, from = 0): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (from + i) % 251
  return bytes
}

/** Frames that a wire has carried to a process, by letter. */
function framesTo(wire: Wire, to: string): { from: string; letter: string; place: string; bytes: Buffer }[] {
  const seen: { from: string; letter: string; place: string; bytes: Buffer }[] = []
  const messages = new MessagesIn((from, letter, _id, place, bytes) => seen.push({ from, letter, place, bytes }))
  wire.onPost = (receiver, message) => {
    if (receiver === to) messages.read(Buffer.from(message), true)
  }
  return seen
}

const socketsOf = (): Socket[] =>
  (process as unknown as { _getActiveHandles(): unknown[] })
    ._getActiveHandles()
    .filter((handle): handle is Socket => handle instanceof Socket && handle.bytesRead + handle.bytesWritten > 150)

test('frames are read as they were sent, however they are cut into pieces', () => {
  const frame = fc.record({ letter: fc.constantFrom('d', 'e', 'b'), length: fc.integer({ min: 0, max: 3_000 }) })
  const property = fc.property(
    fc.array(frame, { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 2_000 })),
    (frames, cuts) => {
      let place = 0
      const names = new Set<string>()
      const sent: Buffer[] = []
      const expected: [string, number, Buffer][] = []
      for (const { letter, length } of frames) {
        const bytes = numbered(length, place)
        sent.push(Buffer.from(`${letter}id\t${place}\t${length}\n`), bytes)
        expected.push([letter, place, bytes])
        place += length
      }
      const got: [string, number, Buffer][] = []
      const reader = new FramesIn((letter, id, at, bytes) => {
        names.add(id)
        const last = got.at(-1)
        const isSame =
          letter === 'd' && last?.[0] === 'd' && bytes.length > 0 && last[1] + last[2].length === Number(at)
        if (isSame) last[2] = Buffer.concat([last[2], bytes])
        else got.push([letter, Number(at), Buffer.from(bytes)])
      })
      const all = Buffer.concat(sent)
      for (let at = 0, i = 0; at < all.length; i++) {
        const next = at + (cuts[i % Math.max(cuts.length, 1)] ?? 700)
        if (!reader.read(all.subarray(at, next))) throw new Error('it is called malformed')
        at = next
      }
      const bytesOf = (list: typeof got): string => Buffer.concat(list.map(([, , bytes]) => bytes)).toString('hex')
      const ends = (list: typeof got): unknown[] => list.filter(([letter]) => letter !== 'd')
      expect([...names].filter((name) => name !== 'id')).toEqual([])
      expect(bytesOf(got)).toBe(bytesOf(expected))
      expect(ends(got)).toEqual(ends(expected))
    },
  )
  fc.assert(property, { numRuns: 100 })
})

test.each(['x'.repeat(2_000), 'no tabs\n', 'did\t0\tmany\n', `eid\t0\t${2 ** 40}\n`])(
  'a malformed frame ends its connection: %.12s',
  (text) => {
    expect(new FramesIn(() => {}).read(Buffer.from(text))).toBe(false)
  },
)

test('a process that streams to itself does not connect to itself', async () => {
  const wire = movingWire()
  const at = presence()
  const both = await open(wire, at)
  await both.listen(silent)
  const invitations = framesTo(wire, at)
  const { got } = read(both, 'claim', at)
  const writer = both.writer('claim', at)
  writer.write(numbered(50_000), true)
  writer.end(Buffer.alloc(0))
  await until(() => got.ended, 'all has been read')
  expect(Buffer.concat(got.bytes).equals(numbered(50_000))).toBe(true)
  expect(invitations.filter(({ letter }) => letter === 'c')).toEqual([])
  expect(both.direct.links).toBe(0)
})

test('no byte is lost or repeated when connections are cut, again and again', async () => {
  const wire = movingWire()
  const { gateway, worker, at, of } = await pair(wire)
  const writer = worker.writer('claim', at)
  const { got } = read(gateway, 'claim', of)
  const total = 6 << 20
  const cutting = setInterval(() => {
    for (const socket of socketsOf()) socket.destroy()
  }, 20)
  let links = 0
  let [written, wasUp] = [0, false]
  const fill = (): void => {
    while (written < total && writer.hasRoom) {
      const bytes = numbered(30_000, written)
      writer.write(bytes, true)
      // Its writer uses the memory again.
      bytes.fill(255)
      written += 30_000
    }
    if (written >= total) writer.end(Buffer.alloc(0))
  }
  writer.onDrain = fill
  fill()
  await until(() => {
    const isUp = gateway.direct.links > 0
    if (isUp && !wasUp) links++
    wasUp = isUp
    return got.ended
  }, 'all has arrived')
  clearInterval(cutting)
  expect(Buffer.concat(got.bytes).equals(numbered(written))).toBe(true)
  expect(links).toBeGreaterThan(1)
})

test('a reader that takes nothing has a bounded number of bytes held for it, on either side', async () => {
  const wire = movingWire()
  const { gateway, worker, at, of } = await pair(wire)
  // A stream that flows has the two connect.
  const first = worker.writer('first', at)
  const one = read(gateway, 'first', of)
  first.write(numbered(1_000))
  await until(() => gateway.direct.links === 1 && worker.direct.links === 1, 'they are connected')
  expect(Buffer.concat(one.got.bytes)).toEqual(numbered(1_000))
  const writer = worker.writer('claim', at)
  const { got, reader } = read(gateway, 'claim', of, () => false)
  let written = 0
  while (writer.hasRoom) {
    writer.write(numbered(10_000, written), true)
    written += 10_000
  }
  await until(() => got.bytes.length === 1, 'the first bytes have arrived')
  expect(worker.keptBytes).toBeLessThanOrEqual(2 * MOST + 10_000)
  writer.end(Buffer.alloc(0))
  const pulling = setInterval(() => reader.resume(), 1)
  await until(() => got.ended, 'all has arrived')
  clearInterval(pulling)
  expect(Buffer.concat(got.bytes)).toEqual(numbered(written))
  await until(() => worker.ended.direct === 1, 'the writer knows that all has arrived, by the direct way')
})

test('bytes of a stale attempt, and of any other process, never reach a stream', async () => {
  const wire = movingWire()
  const { gateway, worker, at, of } = await pair(wire)
  const other = presence()
  const stale = await open(wire, other)
  const own = stale.writer('its own', at)
  const its = read(gateway, 'its own', other)
  own.write(numbered(1_000))
  await until(() => stale.direct.links === 1, 'the other process is connected')
  const { got } = read(gateway, 'claim', of)
  const forged = stale.writer('claim', at)
  forged.open(at)
  forged.write(Buffer.alloc(2_000, 1))
  forged.end(Buffer.alloc(0))
  const writer = worker.writer('claim', at)
  writer.write(numbered(2_000))
  writer.end(Buffer.alloc(0))
  own.end(Buffer.alloc(0))
  await until(() => got.ended && its.got.ended, 'both streams have ended')
  expect(Buffer.concat(got.bytes)).toEqual(numbered(2_000))
})

/** A worker that has been invited by TCP and has direct streams off, so that somebody else can use its secret. */
async function invited(wire: Wire) {
  const [at, of] = [presence(), presence()]
  const port = await freePort()
  const gateway = await open(wire, at, `127.0.0.1:${port}`)
  await gateway.listen(silent)
  const worker = await open(wire, of, 'off')
  const seen = framesTo(wire, of)
  const writer = worker.writer('claim', at)
  const { got } = read(gateway, 'claim', of)
  await until(() => seen.some(({ letter }) => letter === 'c'), 'it is invited')
  const { bytes: secret } = seen.find(({ letter }) => letter === 'c')!
  return { gateway, writer, got, port, secret, at, of }
}

test('a secret is good for one connection of the process that was invited, and no other', async () => {
  const { gateway, writer, got, port, secret, at, of } = await invited(movingWire())
  const other = presence()
  writer.write(numbered(1_000))
  /** Returns what the door says. */
  const knock = (line: string): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(line))
      socket.on('data', (bytes) => {
        text += bytes
        socket.destroy()
      })
      socket.on('error', () => {}).on('close', () => resolve(text))
    })
  const wrong = Buffer.alloc(32)
  expect(await knock(guestLine(wrong, of, at))).toBe('')
  expect(await knock(guestLine(secret, other, at))).toBe('')
  expect(await knock(guestLine(secret, of, other))).toBe('')
  expect(gateway.direct.refused).toBe(3)
  expect(await knock(guestLine(secret, of, at))).toMatch(/^takespace-streams\/1 /)
  expect(await knock(guestLine(secret, of, at))).toBe('')
  expect(gateway.direct.refused).toBe(4)
  writer.end(Buffer.alloc(0))
  await until(() => got.ended, 'the stream has ended all the same')
  expect(Buffer.concat(got.bytes)).toEqual(numbered(1_000))
})

test('a connection that has fallen silent is given up, and its stream goes on through the space', async () => {
  const { gateway, writer, got, port, secret, at, of } = await invited(movingWire())
  // As a network that drops whatever it is sent from now on.
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}).write(guestLine(secret, of, at))
  await until(() => gateway.direct.links === 1, 'it is connected')
  writer.write(numbered(100_000))
  writer.end(Buffer.alloc(0))
  await until(() => got.ended, 'all has arrived')
  expect(Buffer.concat(got.bytes)).toEqual(numbered(100_000))
  expect(gateway.direct.links).toBe(0)
  socket.destroy()
})

test('a process connects only to one with which it has a stream', async () => {
  const wire = movingWire()
  const { worker, at, of } = await pair(wire)
  const invited = wire.engine(presence())
  const frame = (name: string): Buffer[] => [Buffer.from(`${name}\nc\tunix:${at}\t32\n`), Buffer.alloc(32)]
  await invited.post(of, frame(at))
  await wire.settle()
  expect(socketsOf()).toEqual([])
  expect(worker.direct.links).toBe(0)
})

failOnLeaks()
