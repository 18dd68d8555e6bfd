/** What the apps of all frameworks have in common: what they send, and the one form in which they tell what they were sent. */
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** Any file that stays as it is while the tests run. */
export const NAME = 'package.json'
export const FOLDER = fileURLToPath(new URL('../../..', import.meta.url))
export const FILE = `${FOLDER}${NAME}`

export const BIG = Buffer.alloc(1 << 20, 'takespace')
export const COMPRESSIBLE = 'the same again and again; '.repeat(400)
export const PAGE = '<!doctype html><title>Päge</title>'
export const COOKIES = { plain: '1', words: 'two words', sign: 'ä=b' }

/** In pieces, as they come from elsewhere: each in a later turn of the event loop. */
export async function* pieces(): AsyncGenerator<string> {
  for (const piece of ['one ', 'two ', 'three']) {
    await new Promise(setImmediate)
    yield piece
  }
}

export const streamed = (): Readable => Readable.from(pieces())

/** What an app was told of a request. The connection to a test is one; what a gateway makes of it is the gateway's. */
export interface Told {
  method: string
  url: string
  query: unknown
  host: string | undefined
  ip: string | undefined
  protocol: string | undefined
  headers: Record<string, unknown>
}

export function told(parts: Told): string {
  const { connection, 'accept-encoding': _, ...headers } = parts.headers
  return JSON.stringify({ ...parts, headers })
}

/** An error that frameworks turn into its status. */
export const conflict = (): Error =>
  Object.assign(new Error('It is taken.'), { status: 409, statusCode: 409, expose: true })
