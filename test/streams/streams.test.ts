/** What a stream promises whatever is lost beneath it: its bytes, all of them, in order, and a bound on what is under way. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Streams, type StreamWriter } from '../../src/request/streams/index.js'
import { Chance } from '../simulation/chance.js'
import { Wire } from './wire.js'

const MOST = 65_536

interface Read {
  readonly chunks: Buffer[]
  ended: Buffer | undefined
  broken: string | undefined
}

function pair(wire: Wire, most = MOST) {
  const id = 's1'
  const bounds = { maxStreamBytes: most, maxStreamingBytes: 10 * most }
  const [sender, receiver] = [new Streams(wire.engine('a'), bounds), new Streams(wire.engine('b'), bounds)]
  const read: Read = { chunks: [], ended: undefined, broken: undefined }
  return { sender, receiver, read, id }
}

const reading = (read: Read, takes: () => boolean) => ({
  onChunk(chunk: Buffer) {
    read.chunks.push(Buffer.from(chunk))
    return takes()
  },
  onEnd(last: Buffer) {
    read.ended = last
  },
  onBroken(reason: string) {
    read.broken = reason
  },
})

const numbered = (length: number, from: number): Buffer => {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (from + i) % 251
  return bytes
}

test('all bytes arrive, in order and once, whenever and however often links are cut', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }),
    fc.integer(),
    async (sizes, seed) => {
      const chance = new Chance(seed)
      const random = (): number => chance.next()
      const wire = new Wire()
      const { sender, receiver, read, id } = pair(wire)
      await Promise.all([sender.ready(), receiver.ready()])
      const writer = sender.writer(id, 'b')
      const reader = receiver.reader(id, 'a')
      let paused = false
      reader.read(
        reading(read, () => {
          paused = random() < 0.2
          return !paused
        }),
      )
      const total = sizes.reduce((sum, size) => sum + size, 0)
      let [written, next] = [0, 0]
      for (let steps = 0; read.ended === undefined; steps++) {
        if (steps > 20_000) throw new Error(`it stands still after ${written} of ${total} bytes`)
        if (next < sizes.length && writer.hasRoom) {
          const bytes = numbered(sizes[next]!, written)
          writer.write(bytes, true)
          // Its writer uses the memory again.
          bytes.fill(255)
          written += sizes[next++]!
          if (next === sizes.length) writer.end(Buffer.from('last'))
        }
        // What is kept is what is under way, and one write more.
        expect(sender.keptBytes).toBeLessThanOrEqual(2 * MOST + 40_000)
        if (random() < 0.05) wire.cut(random() < 0.5 ? 'a' : 'b')
        if (random() < 0.2) for (const end of ['a', 'b']) wire.heal(end)
        if (paused && random() < 0.5) {
          paused = false
          reader.resume()
        }
        await wire.step()
      }
      expect(Buffer.concat(read.chunks).equals(numbered(total, 0))).toBe(true)
      expect(read.ended!.toString()).toBe('last')
      for (const end of ['a', 'b']) wire.heal(end)
      await wire.settle()
      sender.close()
      receiver.close()
      return true
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

test('cuts do lose messages here, so that the test above is one', async () => {
  const wire = new Wire()
  const { sender, receiver, read, id } = pair(wire)
  await Promise.all([sender.ready(), receiver.ready()])
  const writer = sender.writer(id, 'b')
  receiver.reader(id, 'a').read(reading(read, () => true))
  writer.write(numbered(3_000, 0))
  await new Promise(setImmediate)
  wire.cut('b')
  await wire.settle()
  expect(wire.lost).toBeGreaterThan(0)
  expect(read.chunks).toEqual([])
  wire.heal('b')
  await wire.settle()
  expect(Buffer.concat(read.chunks).equals(numbered(3_000, 0))).toBe(true)
  sender.close()
  receiver.close()
})

test('a reader that takes nothing bounds its writer, and gives the room back when it is cancelled', async () => {
  const wire = new Wire()
  const { sender, receiver, read, id } = pair(wire)
  await Promise.all([sender.ready(), receiver.ready()])
  const writer = sender.writer(id, 'b')
  const reader = receiver.reader(id, 'a')
  reader.read(reading(read, () => false))
  const told = new Promise<void>((resolve) => {
    writer.onUnwanted = resolve
  })
  let written = 0
  for (let i = 0; i < 1_000; i++) {
    while (writer.hasRoom && written < 100 * MOST) {
      writer.write(numbered(8_192, written))
      written += 8_192
    }
    await wire.step()
  }
  expect(written).toBeLessThanOrEqual(3 * MOST)
  reader.cancel()
  await wire.settle()
  await told
  expect(sender.keptBytes).toBe(0)
  expect([sender.size, receiver.size]).toEqual([0, 0])
  sender.close()
  receiver.close()
})

test('a writer that has to wait for its reader is granted more, until a large body flows', async () => {
  const wire = new Wire()
  const { sender, receiver, read, id } = pair(wire, 16 * MOST)
  await Promise.all([sender.ready(), receiver.ready()])
  const writer = sender.writer(id, 'b')
  receiver.reader(id, 'a').read(reading(read, () => true))
  let [written, inFlight] = [0, 0]
  while (written < 128 * MOST) {
    while (writer.hasRoom && written < 128 * MOST) {
      writer.write(numbered(10_000, written))
      written += 10_000
    }
    inFlight = Math.max(inFlight, sender.keptBytes)
    await wire.step()
  }
  writer.end(Buffer.alloc(0))
  await wire.settle()
  expect(Buffer.concat(read.chunks).equals(numbered(written, 0))).toBe(true)
  expect(inFlight).toBeGreaterThan(8 * MOST)
  sender.close()
  receiver.close()
})

test('a stream that is broken off gives what has come, and is never taken for complete', async () => {
  const wire = new Wire()
  const { sender, receiver, read, id } = pair(wire)
  await Promise.all([sender.ready(), receiver.ready()])
  const writer = sender.writer(id, 'b')
  receiver.reader(id, 'a').read(reading(read, () => true))
  writer.write(Buffer.from('a part'))
  await wire.settle()
  writer.destroy('WORKER_LOST')
  await wire.settle()
  expect([Buffer.concat(read.chunks).toString(), read.ended, read.broken]).toEqual(['a part', undefined, 'WORKER_LOST'])
  sender.close()
  receiver.close()
})

test('one that is written before it is asked for waits for its reader, in bounded room', async () => {
  const wire = new Wire()
  const { sender, receiver, read, id } = pair(wire)
  await Promise.all([sender.ready(), receiver.ready()])
  const writer: StreamWriter = sender.writer(id)
  let written = 0
  while (writer.hasRoom) {
    writer.write(numbered(10_000, written))
    written += 10_000
  }
  expect(written).toBeLessThanOrEqual(MOST + 10_000)
  writer.end(Buffer.alloc(0))
  receiver.reader(id, 'a').read(reading(read, () => true))
  await wire.settle()
  expect(Buffer.concat(read.chunks).equals(numbered(written, 0))).toBe(true)
  expect(read.ended).toBeDefined()
  sender.close()
  receiver.close()
})

test('what a stranger sends ends nothing and stores nothing', async () => {
  const wire = new Wire()
  const { sender, receiver, read, id } = pair(wire)
  await Promise.all([sender.ready(), receiver.ready()])
  const writer = sender.writer(id, 'b')
  receiver.reader(id, 'a').read(reading(read, () => true))
  const stranger = wire.engine('c')
  const junk = [
    '',
    '\n',
    'c\n',
    'c\nd',
    `c\nd${id}\t5\t99999\nx`,
    `c\ng${id}\t-1 NaN\t0\n`,
    `c\nd${id}\t0\t-3\n`,
    `c\nzz\n`,
  ]
  for (const text of junk) {
    await stranger.post('a', [Buffer.from(text)])
    await stranger.post('b', [Buffer.from(text)])
  }
  await stranger.post('a', [Buffer.from(`c\nn${id}\t0\t0\n`)])
  await wire.settle()
  writer.write(Buffer.from('whole'))
  writer.end(Buffer.alloc(0))
  await wire.settle()
  expect(Buffer.concat(read.chunks).toString()).toBe('whole')
  expect(read.ended).toBeDefined()
  sender.close()
  receiver.close()
})

test.each(['x', '-1', '1e99', 'NaN'])(
  'a position that is no position (%s) brings no bytes and no end, even of the peer',
  async (place) => {
    const wire = new Wire()
    const { sender, receiver, read, id } = pair(wire)
    await Promise.all([sender.ready(), receiver.ready()])
    receiver.reader(id, 'a').read(reading(read, () => false))
    const peer = wire.engine('a')
    for (let n = 0; n < 100; n++) await peer.post('b', [Buffer.from(`a\nd${id}\t${place}\t5\nwrong`)])
    await peer.post('b', [Buffer.from(`a\ne${id}\t${place}\t0\n`)])
    await wire.settle()
    expect(receiver.keptBytes).toBe(0)
    expect(read.chunks).toEqual([])
    const writer = sender.writer(id, 'b')
    writer.write(Buffer.from('right'))
    writer.end(Buffer.alloc(0))
    await wire.settle()
    expect(Buffer.concat(read.chunks).toString()).toBe('right')
    sender.close()
    receiver.close()
  },
)
