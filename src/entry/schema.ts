/**
 * Schemas: validation of the fields of a kind by any library with Standard Schema (https://standardschema.dev).
 *
 * A schema runs at the write, and its output is stored, so defaults and conversions happen once. It runs again at each
 * read and take, because stored data may be foreign. Hence a schema must leave its own output unchanged:
 * `z.coerce.date()` does, `z.string().transform(Number)` refuses its own numbers. An entry that no reader could accept
 * is refused at the write.
 */
import { isDeepStrictEqual } from 'node:util'
import { SpaceError } from '../errors.js'
import { packFields } from './codec.js'

/** The part of Standard Schema that takespace uses. zod, valibot, arktype and others have it. */
export interface StandardSchema<I = unknown, O = I> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>
    readonly types?: { readonly input: I; readonly output: O } | undefined
  }
}

type SchemaResult<O> = { readonly value: O; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/** An error of a schema. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The type to write. */
export type InputOf<S extends StandardSchema<object, object>> = NonNullable<S['~standard']['types']>['input']

/** The type that is stored and read. */
export type OutputOf<S extends StandardSchema<object, object>> = NonNullable<S['~standard']['types']>['output']

/** The output of the schemas, or their errors. */
export type Fitted =
  | { readonly fields: object; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[]; readonly fields?: undefined }

/** The schemas of a kind: its own, or the nearest that it inherits, first; then those of the kinds that it extends. */
export interface Schemas {
  /** True if the first is the kind's own schema: it then covers all fields, and fields that it drops are dropped. */
  readonly whole: boolean
  readonly list: readonly StandardSchema[]
}

export function checkedSchema(kind: string, schema: unknown): StandardSchema {
  const standard = (schema as StandardSchema | null | undefined)?.['~standard']
  if (typeof standard?.validate !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', `The schema of ${kind} has no ~standard: it must be a Standard Schema.`)
  }
  return schema as StandardSchema
}

/**
 * Returns the names of the fields of a schema, if it has Standard JSON Schema; undefined otherwise. That is optional,
 * and cannot express dates and other values beyond JSON. Standard Schema itself has no names, and the internals of a
 * vendor's objects are not used.
 */
export function namesOf(schema: StandardSchema): ReadonlySet<string> | undefined {
  const { jsonSchema } = schema['~standard'] as {
    readonly jsonSchema?: { output(options: { target: string }): Record<string, unknown> }
  }
  try {
    const { type, properties, additionalProperties } = jsonSchema?.output({ target: 'draft-2020-12' }) ?? {}
    if (type !== 'object' || typeof properties !== 'object' || additionalProperties !== false) return undefined
    return new Set(Object.keys(properties!))
  } catch {
    return undefined
  }
}

/** Runs all schemas of a kind, each on the output of the previous one. Errors that a schema throws are passed on. */
export async function conform({ whole, list }: Schemas, fields: object, inherited: boolean): Promise<Fitted> {
  let now = fields
  for (const [i, schema] of list.entries()) {
    const result = await schema['~standard'].validate(now)
    if (result.issues) return { issues: result.issues }
    if (typeof result.value !== 'object' || result.value === null)
      return { issues: [{ message: 'it makes no object' }] }
    now = whole && i === 0 && !inherited ? result.value : { ...now, ...result.value }
  }
  return { fields: now }
}

/**
 * Returns the fields that are stored when these are written.
 * @throws SpaceError INVALID_ENTRY that names the field and quotes the schema; its cause has all issues
 */
export async function fieldsToStore(kind: string, schemas: Schemas, fields: object): Promise<object> {
  const stored = await fitOrThrow(kind, schemas, fields)
  const again = await fitOrThrow(kind, schemas, stored, 'its own output, which readers will be given: ')
  if (!isDeepStrictEqual(packFields(again), packFields(stored))) {
    throw new SpaceError('INVALID_ENTRY', `The schema of ${kind} changes its own output; see docs/javaspaces.md.`)
  }
  return stored
}

async function fitOrThrow(kind: string, schemas: Schemas, fields: object, of = ''): Promise<object> {
  let fitted: Fitted
  try {
    fitted = await conform(schemas, fields, false)
  } catch (cause) {
    throw new SpaceError('INVALID_ENTRY', `The schema of ${kind} threw.`, { cause })
  }
  if (!fitted.issues) return fitted.fields
  const said = fitted.issues.map((issue) => `${pathOf(issue)}: ${issue.message}`).join('; ')
  throw new SpaceError('INVALID_ENTRY', `The schema of ${kind} refuses ${of}${said}`, { cause: fitted.issues })
}

/** Returns a path such as `items.0.price`; `(top)` for the whole. */
export function pathOf({ path = [] }: SchemaIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.join('.') || '(top)'
}
