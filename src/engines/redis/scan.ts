/** Scans: the keys of one server that begin with a prefix. A key may come twice. */
import { patternOf } from './keys.js'
import type { Commands } from './wire/commands.js'

const SCANNED = '500'

export async function* keysUnder(client: Commands, prefix: string): AsyncGenerator<string> {
  let cursor = '0'
  do {
    const found = await client.call('SCAN', cursor, 'MATCH', patternOf(prefix), 'COUNT', SCANNED)
    const [next, keys] = found as [string, string[]]
    yield* keys
    cursor = next
  } while (cursor !== '0')
}
