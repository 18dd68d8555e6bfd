/**
 * Schema: what the fields of a kind must be, said by any library that speaks Standard Schema (https://standardschema.dev).
 *
 * A schema runs at the write, and what it puts out is stored; so defaults and conversions happen once. Whoever reads or takes runs it
 * again on what is stored, since anybody may have written that. Hence a schema must leave its own output as it is: `z.coerce.date()`
 * does, `z.string().transform(Number)` refuses its own numbers, and an entry that no reader could be given is refused at the write.
 */
import { isDeepStrictEqual } from 'node:util'
import { SpaceError } from '../errors.js'
import { packFields } from './codec.js'

/** The part of Standard Schema that takespace asks for. zod, valibot, arktype and others have it. */
export interface StandardSchema<I = unknown, O = I> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>
    readonly types?: { readonly input: I; readonly output: O } | undefined
  }
}

type SchemaResult<O> = { readonly value: O; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/** What a schema says of a value that does not fit. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What may be written under a schema. */
export type InputOf<S extends StandardSchema<object, object>> = NonNullable<S['~standard']['types']>['input']

/** What is stored and read under a schema. */
export type OutputOf<S extends StandardSchema<object, object>> = NonNullable<S['~standard']['types']>['output']

/** The fields as a schema wants them, or why they are not. */
export type Fitted =
  | { readonly fields: object; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[]; readonly fields?: undefined }

/** The schemas of a kind: its own, or the nearest that it inherits, first; then those of the kinds that it extends. */
export interface Schemas {
  /** Whether the first is the kind's own: then it speaks for all fields, and what it leaves out is left out. */
  readonly whole: boolean
  readonly list: readonly StandardSchema[]
}

export function checkedSchema(kind: string, schema: unknown): StandardSchema {
  const standard = (schema as StandardSchema | null | undefined)?.['~standard']
  if (typeof standard?.validate !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', `The schema of ${kind} has no ~standard: it wants a Standard Schema.`)
  }
  return schema as StandardSchema
}

/**
 * The names of the fields that a schema knows, where it can tell: by Standard JSON Schema, which is optional, and has no notation for
 * dates and other values beyond JSON. Standard Schema itself tells no names, and to look inside a vendor's objects would be a guess.
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

/** All schemas of the kind on these fields, each on what the one before it put out. What a schema throws is thrown. */
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
 * What is stored when these fields are written.
 * @throws SpaceError INVALID_ENTRY that names the field and says what the schema said; its cause has all issues
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

/** `items.0.price`; `(top)` for the fields together. */
export function pathOf({ path = [] }: SchemaIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.join('.') || '(top)'
}
