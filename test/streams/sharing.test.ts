/** What streams promise each other: a share for each, whatever the others' readers take, and little before much. */
import { afterEach, expect, test } from '@jest/globals'
import { type StreamReader, Streams, type StreamWriter } from '../../src/request/streams/index.js'
import { Wire } from './wire.js'

const CHUNK = Buffer.alloc(65_536, 'x')

let open: Streams[] = []
afterEach(() => {
  for (const streams of open) streams.close()
  open = []
})

async function between(wire: Wire, maxStreamingBytes: number): Promise<{ from: Streams; to: Streams }> {
  const bounds = { maxStreamBytes: 1 << 20, maxStreamingBytes }
  const [from, to] = [new Streams(wire.engine('a'), bounds), new Streams(wire.engine('b'), bounds)]
  open.push(from, to)
  await Promise.all([from.ready(), to.ready()])
  return { from, to }
}

/** Writes chunks as long as the stream has room, up to `bytes`, and ends it then. */
function send(writer: StreamWriter, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length))
      left -= chunk.length
      if (!writer.write(chunk) && left > 0) return
    }
    writer.end(Buffer.alloc(0))
  }
  writer.onDrain = more
  more()
}

/** Reads all, or takes nothing after the first chunk. */
function receive(reader: StreamReader, takes = true): { bytes: number; ended: boolean } {
  const got = { bytes: 0, ended: false }
  reader.read({
    onChunk(chunk) {
      got.bytes += chunk.length
      return takes
    },
    onEnd() {
      got.ended = true
    },
    onBroken() {},
  })
  return got
}

/** Delivers messages until nothing comes any more. What is written in one turn is a message in a later one. */
async function run(wire: Wire, until: () => boolean = () => false): Promise<void> {
  for (let silent = 0; silent < 10 && !until(); ) silent = (await wire.step()) ? 0 : silent + 1
}

test('a stream whose writer heeds nothing and whose reader takes nothing leaves the others their share', async () => {
  const wire = new Wire()
  const { from, to } = await between(wire, 262_144)
  const heedless = from.writer('heedless', 'b')
  receive(to.reader('heedless', 'a'), false)
  for (let i = 0; i < 64; i++) heedless.write(CHUNK)
  await run(wire)
  expect(from.keptBytes).toBeGreaterThan(262_144)
  send(from.writer('other', 'b'), 1 << 20)
  const other = receive(to.reader('other', 'a'))
  await run(wire)
  expect(other).toEqual({ bytes: 1 << 20, ended: true })
})

test('a stream that has moved little goes before all that have moved much', async () => {
  const wire = new Wire()
  const { from, to } = await between(wire, 64 << 20)
  const large = Array.from({ length: 40 }, (_, i) => {
    send(from.writer(`large ${i}`, 'b'), 1 << 30)
    return receive(to.reader(`large ${i}`, 'a'))
  })
  await run(wire, () => large.every(({ bytes }) => bytes > 2 << 20))
  const before = wire.bytes
  send(from.writer('small', 'b'), 1 << 19)
  const small = receive(to.reader('small', 'a'))
  await run(wire, () => small.ended)
  expect(small.bytes).toBe(1 << 19)
  // An equal share would be 40 times its size.
  expect(wire.bytes - before).toBeLessThan(20 * (1 << 20))
})
