/**
 * Signature: an entry's kinds and tokens in one line: `|@Kind|@Parent|field=token|;|field=token|`; indexed ones before
 * the `;`.
 */
import type { EncodedEntry } from '../engine.js'

export type Signed = Pick<EncodedEntry, 'kinds' | 'indexed' | 'verified'>

export function signatureOf({ kinds, indexed, verified }: Signed): string {
  let text = ''
  for (const kind of kinds) text += `|@${kind}`
  for (const token of indexed) text += `|${token}`
  text += '|;|'
  for (const token of verified) text += `${token}|`
  return text
}

export function readSignature(text: string): Signed {
  const [before = '', after = ''] = text.split('|;|')
  const items = before.split('|').filter((item) => item !== '')
  return {
    kinds: items.filter((item) => item.startsWith('@')).map((item) => item.slice(1)),
    indexed: items.filter((item) => !item.startsWith('@')),
    verified: after.split('|').filter((item) => item !== ''),
  }
}
