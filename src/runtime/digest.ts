/** The short digest by which takespace names what is too long, or too private, to be a name itself. */
import { createHash, hash } from 'node:crypto'

const LENGTH = 27

/**
 * Returns 162 bits of the SHA-256 of all parts one after the other, as 27 characters of base64url. Stored data depend
 * on it.
 */
export function digest(...parts: readonly (string | Buffer)[]): string {
  if (parts.length === 1) return hash('sha256', parts[0]!, 'base64url').slice(0, LENGTH)
  const all = createHash('sha256')
  for (const part of parts) all.update(part)
  return all.digest('base64url').slice(0, LENGTH)
}
