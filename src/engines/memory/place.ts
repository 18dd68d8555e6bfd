/** Place: where an entry of a memory space stands among the matches of a template, best first. */
import type { EncodedEntry, EncodedTemplate } from '../../engine.js'
import { compareValues, keyOfValue, valueIn } from '../../entry/holds.js'
import { SpaceError } from '../../errors.js'
import { Sorted } from './sorted.js'

export interface PlacedEntry {
  readonly entry: EncodedEntry
  /** Its position within its priority; kept when it is put back. */
  readonly order: number
}

/** More than the orders of one priority. Exact, because there are 256 priorities. */
const PRIORITY_STEP = 2 ** 44

/** Returns the place of an entry as a number: higher priority first, then the older entry. */
const placeOf = ({ entry: { priority }, order }: PlacedEntry): number => order - priority * PRIORITY_STEP

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Compares by place, best first; 0: it is the same entry. */
export const comparePlaces = (a: PlacedEntry, b: PlacedEntry): number =>
  placeOf(a) - placeOf(b) || compareTexts(a.entry.id, b.entry.id)

/** Sorts by place, best first. */
export const inPlace = <T extends PlacedEntry>(items: Iterable<T>): T[] => [...items].sort(comparePlaces)

export const sortedByPlace = <T extends PlacedEntry>(): Sorted<T> => new Sorted<T>(placeOf, comparePlaces)

/** An entry with the value of the field by which it is in order. */
export interface Valued<T extends PlacedEntry> {
  readonly value: string
  readonly key: number
  readonly item: T
}

/** Returns the entry with its value; undefined if it has none with an order. */
export function valuedBy<T extends PlacedEntry>(field: string, item: T): Valued<T> | undefined {
  const value = valueIn(item.entry, field)
  const key = keyOfValue(value)
  return key === undefined ? undefined : { value, key, item }
}

/** Compares values of one type, then places. */
export const compareValued = <T extends PlacedEntry>(a: Valued<T>, b: Valued<T>): number =>
  compareValues(a.value, b.value) || comparePlaces(a.item, b.item)

/** For values of one type. */
export const sortedByValue = <T extends PlacedEntry>(): Sorted<Valued<T>> =>
  new Sorted<Valued<T>>(({ key }) => key, compareValued)

const PLACE_LENGTH = 16

const placeText = (item: PlacedEntry): string => String(placeOf(item) + 2 ** 52).padStart(PLACE_LENGTH, '0')

/** Returns the position of a match as a text: its place, then its value if matches are in the order of a field. */
export const positionOf = ({ orderedBy }: EncodedTemplate, item: PlacedEntry): string =>
  `${placeText(item)}${orderedBy === undefined ? '' : valueIn(item.entry, orderedBy)}`

/** Returns whether a match comes behind the one that had this position; null: before the first. */
export function isBehind({ orderedBy }: EncodedTemplate, item: PlacedEntry, position: string | null): boolean {
  if (position === null) return true
  const byValue =
    orderedBy === undefined ? 0 : compareValues(valueIn(item.entry, orderedBy), position.slice(PLACE_LENGTH))
  return byValue === 0 ? placeText(item) > position.slice(0, PLACE_LENGTH) : byValue > 0
}

/** Positions as texts: a place, then the value of a field, if matches are in its order. */
const POSITION = /^\d{16}(?:[nds]:[\s\S]{0,1000}|i:-?\d{1,1300}(?:e\d{1,4})?)?$/

/** Returns the position. @throws SpaceError INVALID_ARGUMENT unless it is one, or null */
export function checkedPosition(position: string | null): string | null {
  if (position === null || POSITION.test(position)) return position
  throw new SpaceError('INVALID_ARGUMENT', 'The cursor of the listing is not one of a space in memory.')
}
