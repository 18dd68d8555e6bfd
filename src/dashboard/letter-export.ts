/** Dead letters as lines of JSON, for files: without headers, and without bodies unless they are asked for. */

import type { Listed } from '../engine.js'
import { decodeFields, encodeFields } from '../entry/codec.js'
import type { Space } from '../space.js'
import type { DeadLetter } from '../tasks/dead-letter.js'
import { decodeCall } from '../tasks/message.js'
import { deadLetters } from '../tasks/requeue.js'
import { isChosen, type LetterChoice, shownLetter } from './letters.js'

/** One file has at most so many. */
export const MOST_EXPORTED = 10_000

/**
 * Returns the lines of the chosen dead letters, oldest first. With bodies a task has its `input`, an entry its `fields`, as
 * entries are stored; a request has its `body` as text, or as `bodyBase64`.
 */
export async function* exportedLetters(
  space: Space,
  choice: LetterChoice,
  most: number,
  hasBodies: boolean,
): AsyncGenerator<string> {
  let left = most
  for await (const [letter, entry] of deadLetters(space)) {
    const shown = shownLetter(letter)
    if (!isChosen(shown, choice)) continue
    yield `${JSON.stringify({ ...shown, ...(hasBodies && contentsOf(letter, entry)) })}\n`
    if (--left === 0) return
  }
}

function contentsOf({ task, request }: DeadLetter, { body }: Listed): object {
  try {
    if (task !== undefined && request) return plain('input', decodeCall({ ...request, headers: [] }).input)
    if (request) return bodyOf(request.body)
    return plain('fields', decodeFields(body.subarray(body.indexOf('\n') + 1)))
  } catch {
    return { isDamaged: true }
  }
}

/** Returns a value under a name, in the JSON in which entries are stored. */
const plain = (name: string, value: unknown): object =>
  JSON.parse(Buffer.from(encodeFields({ [name]: value })).toString())

function bodyOf(body: Buffer): object {
  const text = body.toString('utf8')
  return Buffer.from(text).equals(body) ? { body: text } : { bodyBase64: body.toString('base64') }
}
