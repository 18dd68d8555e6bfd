/** The types of templates, for the compiler: what a field of one may be, and what its matches are. */
import type { Condition, Wide } from './condition.js'

/** What a template may say of each field: a value, a condition, or nothing. */
export type TemplateFields<F extends object> = {
  readonly [K in keyof F]?: F[K] | Condition<F[K], Wide<F[K]>> | undefined
}

/** A value as a type: one text of many stays a text, one of a few that the field may be is that one. */
type ValueOf<F, V> = V extends string
  ? string extends F
    ? string
    : V
  : V extends number
    ? number extends F
      ? number
      : V
    : V extends bigint
      ? bigint extends F
        ? bigint
        : V
      : V extends boolean | null
        ? V
        : Extract<F, object>

/** The type of a field of which a template says V. */
type FieldOf<F, V> = unknown extends F
  ? F
  : [V] extends [Condition<infer _Values, infer _Compared, infer M>]
    ? unknown extends M
      ? F
      : F & M
    : undefined extends V
      ? F
      : F & ValueOf<F, V>

type IsSame<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false

/** The fields whose types a template narrows. */
type NarrowedKey<F, T> = {
  [K in keyof F & keyof T]-?: IsSame<F[K], FieldOf<F[K], T[K]>> extends true ? never : K
}[keyof F & keyof T]

/** Those that are absent then. */
type AbsentKey<F, T> = {
  [K in NarrowedKey<F, T>]: [FieldOf<F[K], T[K]>] extends [undefined] ? K : never
}[NarrowedKey<F, T>]

/**
 * The fields of what a template matches, given those of its kind: a field that the template names is there, and of the
 * type of its value.
 */
export type Narrowed<F extends object, T> = [NarrowedKey<F, T>] extends [never]
  ? F
  : F & { readonly [K in Exclude<NarrowedKey<F, T>, AbsentKey<F, T>>]: FieldOf<F[K], T[K]> } & {
      readonly [K in AbsentKey<F, T>]?: undefined
    }
