/**
 * Cursors of contents: a place in a listing as a text, from which another process goes on. A cursor is a check of 16
 * characters and the place, base64url. It comes back from strangers, so the check is of the form, not of the sender;
 * engines check the place.
 */
import type { EncodedTemplate } from '../engine.js'
import { SpaceError } from '../errors.js'
import { digest } from '../runtime/digest.js'

/** Where contents go on. */
export interface Position {
  /** The number of the template. */
  readonly template: number
  /** The root kind, if the template is one of AnyEntry; null: the first one. */
  readonly kind: string | null
  /** The cursor of the engine; null: the beginning. */
  readonly after: string | null
}

export const BEGINNING: Position = { template: 0, kind: null, after: null }

/** More than a place in each of 256 partitions has, in the order of a field of long texts. */
const LONGEST_CURSOR = 262_144

const CHECK_LENGTH = 16

export function cursorOf({ template, kind, after }: Position, templates: readonly EncodedTemplate[]): string {
  const place = Buffer.from(JSON.stringify([template, kind, after])).toString('base64url')
  return checkOf(place, templates) + place
}

/** Returns the position. @throws SpaceError INVALID_ARGUMENT if it is no cursor of contents of these templates */
export function positionAt(cursor: unknown, templates: readonly EncodedTemplate[]): Position {
  if (typeof cursor === 'string' && cursor.length <= LONGEST_CURSOR) {
    const place = cursor.slice(CHECK_LENGTH)
    if (cursor === checkOf(place, templates) + place) return checkedPosition(place, templates.length)
  }
  throw notOfThese()
}

function checkedPosition(place: string, templates: number): Position {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(place, 'base64url').toString())
  } catch {}
  const [template, kind, after] = Array.isArray(parts) ? parts : []
  const isText = (value: unknown): value is string | null => value === null || typeof value === 'string'
  if (!Number.isInteger(template) || template < 0 || template >= templates || !isText(kind) || !isText(after)) {
    throw notOfThese()
  }
  return { template, kind, after }
}

const notOfThese = (): SpaceError =>
  new SpaceError('INVALID_ARGUMENT', 'after must be the cursor of contents of the same templates.')

/** Equal templates have equal tokens in every process, in an order that depends on the index of the kind. */
const checkOf = (place: string, templates: readonly EncodedTemplate[]): string => {
  const asked = templates.map(({ kind, indexed, verified, conditions, orderedBy }) => [
    kind,
    [...indexed, ...verified].sort(),
    conditions ?? [],
    orderedBy ?? null,
  ])
  return digest(JSON.stringify(asked), place).slice(0, CHECK_LENGTH)
}
