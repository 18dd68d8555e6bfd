/** Condition: what a field of a template asks for instead of one value. `conditions.ts` makes them. */
import type { Operator } from '../engine.js'

/** Values that have an order: `gt`, `between` and `startsWith` compare them with values of the same type. */
export type Comparable = number | bigint | string | Date

/** The type by which a value is compared: a number is compared with all numbers. */
export type Wide<T> = unknown extends T
  ? Comparable
  : T extends number
    ? number
    : T extends bigint
      ? bigint
      : T extends string
        ? string
        : T extends Date
          ? Date
          : never

/**
 * Made by `gt`, `oneOf` and the others, for a field of `Kind.template({…})`. `V`: the type of the values that must be
 * equal to one of the field's; `W`: the type by which it compares; `M`: the type that the field of a match has.
 */
export class Condition<V = unknown, W = unknown, M = unknown> {
  /** @internal */
  readonly operator: Operator
  /** @internal True if it holds where the operator does not. */
  readonly isNegated: boolean
  /** @internal Packed values (codec.ts). */
  readonly operands: readonly unknown[]
  /** Never set: they carry the types for the compiler. */
  declare readonly values: V
  declare readonly compared: W
  declare readonly match: M

  /** @internal Use gt, oneOf and the others. */
  constructor(operator: Operator, operands: readonly unknown[], isNegated = false) {
    this.operator = operator
    this.operands = operands
    this.isNegated = isNegated
  }
}
