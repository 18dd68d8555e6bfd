/** Misfit: what stands in the space under a kind and is none of it. Anybody may write into a store; it is never delivered. */

import type { Stored } from '../engine.js'
import { type Entry, revive } from '../entry.js'
import { decodeFields } from './codec.js'
import type { Definition } from './kind.js'
import { conform, pathOf, type SchemaIssue } from './schema.js'
import { kindNamed } from './token.js'

export class Nonconforming {
  /** Where it does not fit, without its values: logs may show this. */
  readonly paths: readonly string[]
  /** What its schema threw, if it did not get so far as to judge. */
  readonly thrown: unknown

  constructor(issues: readonly SchemaIssue[], thrown?: unknown) {
    this.paths = issues.slice(0, MOST_PATHS).map((issue) => pathOf(issue).slice(0, LONGEST_PATH))
    this.thrown = thrown
  }
}

const MOST_PATHS = 10
const LONGEST_PATH = 100

/** The entry, as the kind that was asked for has it. */
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
