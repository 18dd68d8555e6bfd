/**
 * Nonconforming entries: stored bytes that are not an entry of the kind, or do not match its schema. They are never
 * delivered.
 */

import type { Stored } from '../engine.js'
import { type Entry, revive } from '../entry.js'
import { decodeFields } from './codec.js'
import type { Definition } from './kind.js'
import { conform, pathOf, type SchemaIssue } from './schema.js'
import { kindNamed } from './token.js'

export class Nonconforming {
  /** The paths of the errors, without values: logs may show them. */
  readonly paths: readonly string[]
  /** The error that the schema threw instead of a result. */
  readonly thrown: unknown

  constructor(issues: readonly SchemaIssue[], thrown?: unknown) {
    this.paths = issues.slice(0, MOST_PATHS).map((issue) => pathOf(issue).slice(0, LONGEST_PATH))
    this.thrown = thrown
  }
}

const MOST_PATHS = 10
const LONGEST_PATH = 100

/** Returns the entry as the kind of the template has it, or why it is not one. */
export async function entryOf(stored: Stored, asked: Definition): Promise<Entry | Nonconforming> {
  const kinds = stored.kinds.map(kindNamed)
  let fields: object
  try {
    fields = decodeFields(stored.body)
  } catch {
    return new Nonconforming([{ message: 'it is no entry' }])
  }
  if (asked.schemas) {
    try {
      const fitted = await conform(asked.schemas, fields, kinds[0] !== asked.kind)
      if (fitted.issues) return new Nonconforming(fitted.issues)
      fields = fitted.fields
    } catch (thrown) {
      return new Nonconforming([], thrown)
    }
  }
  const { id, priority, writtenAt, remainingMs: leaseMs } = stored
  return revive(fields, kinds, { id, kind: kinds[0]!, priority, writtenAt, leaseMs }, asked)
}
