/** Conditions in the steps of random programs, as data so that a shrunk program can be read. */
import fc from 'fast-check'
import { absent, between, gt, gte, lt, lte, not, oneOf, present, startsWith } from '../../src/entry/conditions.js'
import { LONG } from './changing-steps.js'

/** A condition by its name, with its values. */
export type Asked = readonly [name: string, ...values: unknown[]]
const CONDITIONS: Readonly<Record<string, (...values: never[]) => unknown>> = {
  absent,
  between,
  gt,
  gte,
  lt,
  lte,
  not,
  oneOf,
  present,
  startsWith,
}

export const conditions = fc.record(
  {
    a: fc.constantFrom<number | Asked>(
      0,
      ['gt', 0],
      ['gte', 1],
      ['lt', 1],
      ['lte', 0],
      ['between', 0, 1],
      ['oneOf', 0, 1],
      ['not', 0],
      ['absent'],
      ['present'],
    ),
    b: fc.constantFrom<string | Asked>(
      'x',
      ['startsWith', 'yy'],
      ['gt', 'x'],
      ['lte', 'y'],
      ['oneOf', 'x', LONG],
      ['not', 'x'],
      ['absent'],
    ),
  },
  { requiredKeys: [] },
)
/** Returns what a template asks of a field: a value as it is, a condition as the function of its name makes it. */
export function askedOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  const [condition, ...values] = value as unknown as Asked
  return CONDITIONS[condition]!(...(values as never[]))
}
