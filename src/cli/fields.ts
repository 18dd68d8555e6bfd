/** The fields of an entry or template as a shell writes them: `size=3 type=resize`, or one JSON object. */
import { InvalidArgumentError } from 'commander'

export type Fields = Readonly<Record<string, unknown>>

/** Reads one argument after the other. A value is JSON where it can be, else a text: `3` is a number, `"3"` and `three` are texts. */
export function readFields(text: string, before: Fields = {}): Fields {
  return { ...before, ...(text.startsWith('{') ? objectOf(text) : fieldOf(text)) }
}

function objectOf(text: string): Fields {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidArgumentError(`It is no JSON: ${(error as Error).message}.`)
  }
}

function fieldOf(text: string): Fields {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('A field is name=value, or all of them are one JSON object.')
  return { [text.slice(0, equals)]: jsonOrText(text.slice(equals + 1)) }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
