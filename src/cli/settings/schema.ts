/**
 * The types of settings, for texts of a command line or environment and values of a file. The only file that imports
 * zod.
 */
import { InvalidArgumentError } from 'commander'
import { z } from 'zod'

/** Returns the parser of an option; `wants` is the message for an invalid value. */
function reader<T>(schema: z.ZodType<T, string>, wants: string): (text: string) => T {
  return (text) => {
    const result = schema.safeParse(text)
    if (!result.success) throw new InvalidArgumentError(wants)
    return result.data
  }
}

export const integer = (min: number, max: number): ((text: string) => number) =>
  reader(
    z
      .string()
      .regex(/^-?\d+$/)
      .transform(Number)
      .pipe(z.int().min(min).max(max)),
    `It must be an integer from ${min} to ${max}.`,
  )

export const name = reader(z.string().min(1).max(100), 'It must have 1 to 100 characters.')

export const hostNames = reader(
  z.string().regex(/^[^\s:/,]+(,[^\s:/,]+)*$/),
  'It must be host names without ports, with commas between them.',
)

export const oneOf = <const T extends readonly string[]>(values: T): ((text: string) => T[number]) =>
  reader(z.string().toLowerCase().pipe(z.enum(values)), `It must be one of ${values.join(', ')}.`)

/** Parses a boolean flag of the environment or a file. */
export const boolean = (text: string): boolean => {
  const result = z.stringbool().safeParse(text)
  if (!result.success) throw new InvalidArgumentError('It must be true or false.')
  return result.data
}

const Plain = z.union([z.string(), z.number(), z.boolean()])
const ConfigFile = z.record(z.string(), z.union([Plain, z.array(z.string())]))

/** Returns the settings of a config file by name, as texts of a command line. */
export function readConfig(value: unknown): ReadonlyMap<string, string> {
  const result = ConfigFile.safeParse(value)
  if (result.success) return new Map(Object.entries(result.data).map(([key, found]) => [key, String(found)]))
  const path = result.error.issues[0]?.path.join('.')
  throw new InvalidArgumentError(
    path
      ? `${path} is a text, a number, true, false or a list of texts.`
      : "It exports an object of settings: { port: 8080, name: 'orders' }.",
  )
}
