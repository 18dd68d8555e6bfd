/** The entry of a dead letter. The Lua library makes the same of records in Redis. */
import { DEAD_LETTER, type EncodedEntry, type EncodedTemplate } from '../engine.js'
import { type Signed, signatureOf } from './signature.js'
import { tokenOf } from './token.js'

/** A week, to look into it. */
const LEASE_MS = 7 * 24 * 60 * 60 * 1000

/** `was` and `body` are those of the original entry. */
export function deadLetterEntry(id: string, reason: string, was: Signed, body: Buffer, priority: number): EncodedEntry {
  const service = was.indexed.filter((token) => token.startsWith('service='))
  return {
    id,
    kinds: [DEAD_LETTER],
    indexed: [`reason=${tokenOf(reason)}`, ...service],
    verified: [idToken(id)],
    body: Buffer.concat([Buffer.from(`${tokenOf(reason)}${signatureOf(was)}\n`), body]),
    leaseMs: LEASE_MS,
    priority,
  }
}

const idToken = (id: string): string => `id=s:${id}`

/** The template of all dead letters. */
export const ALL_DEAD_LETTERS: EncodedTemplate = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }

/** Returns the template of one dead letter. */
export const deadLetterTemplate = (id: string) => ({
  kind: DEAD_LETTER,
  root: DEAD_LETTER,
  indexed: [],
  verified: [idToken(id)],
})
