/** A published message is read as it was sent, however it is cut into pieces, and whatever was before it. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MessagesIn } from '../../src/request/streams/messages-in.js'

type Frame = readonly [from: string, letter: string, id: string, place: number, bytes: string]

/** What arrives of a message that comes in pieces of these sizes. Bytes of a body that follow each other are one frame. */
function framesOf(messages: readonly Buffer[], cuts: readonly number[]): Frame[] {
  const got: Frame[] = []
  const reader = new MessagesIn((from, letter, id, place, bytes) => {
    const last = got.at(-1)
    const text = bytes.toString('latin1')
    const follows = letter === 'd' && last?.[1] === 'd' && last[0] === from && last[2] === id
    if (follows && last[3] + last[4].length === Number(place)) {
      got[got.length - 1] = [from, letter, id, last[3], last[4] + text]
    } else got.push([from, letter, id, Number(place), text])
  })
  let i = 0
  for (const message of messages) {
    for (let at = 0; at < message.length; ) {
      const next = at + (cuts[i++ % cuts.length] ?? message.length)
      // Its memory is then the reader's.
      reader.read(Buffer.from(message.subarray(at, next)), at === 0)
      at = next
    }
  }
  return got
}

const messageOf = (from: string, frames: readonly Frame[]): Buffer =>
  Buffer.from(
    `${from}\n${frames.map(([, letter, id, place, bytes]) => `${letter}${id}\t${place}\t${bytes.length}\n${bytes}`).join('')}`,
    'latin1',
  )

const frames = (from: string): fc.Arbitrary<Frame[]> =>
  fc
    .array(
      fc.tuple(
        fc.constantFrom('d', 'e', 'g'),
        fc.constantFrom('s1', 's2'),
        fc.string({ minLength: 1, maxLength: 80, unit: 'binary-ascii' }),
      ),
      {
        maxLength: 8,
      },
    )
    .map((list) => {
      // No two of them follow each other.
      let place = 0
      return list.map(([letter, id, bytes]): Frame => {
        place += 1_000
        return [from, letter, id, place, bytes]
      })
    })

test('frames of messages, in pieces of any size', () => {
  const property = fc.property(
    frames('process-a'),
    frames('process-b'),
    fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 12 }),
    (first, second, cuts) => {
      const messages = [messageOf('process-a', first), messageOf('process-b', second)]
      expect(framesOf(messages, cuts)).toEqual([...first, ...second])
    },
  )
  fc.assert(property, { numRuns: 500 })
})

test.each([
  ['the name of no process', 'x'.repeat(300)],
  ['a frame without a length', 'process-a\nds1\t0\n'],
  ['a length that is none', 'process-a\nds1\t0\tmany\n'],
  ['the beginning of a frame', 'process-a\nes1\t0\t100\nhalf'],
  ['nothing but a name', 'process-a'],
])('%s costs no other message', (_what, text) => {
  const next: Frame[] = [['process-b', 'd', 's1', 0, 'bytes']]
  for (const cuts of [[1], [7], [400]]) {
    expect(framesOf([Buffer.from(`${text}`), messageOf('process-b', next)], cuts)).toEqual(next)
    expect(framesOf([Buffer.from(`${text}\nds1\t0\t1\nx`), messageOf('process-b', next)], cuts).slice(-1)).toEqual(next)
  }
})
