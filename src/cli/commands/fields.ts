/** Values on a command line: JSON, or the fields of an entry or template: `size=3 type=resize`, or one JSON object. */
import { InvalidArgumentError } from 'commander'

export type Fields = Readonly<Record<string, unknown>>

/** Returns the value. @throws InvalidArgumentError for malformed JSON, with advice on quoting */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    throw new InvalidArgumentError(`It is not JSON: ${message}. ${HOW_TO_QUOTE}`)
  }
}

const HOW_TO_QUOTE = `In a shell, put JSON between single quotes: '{"width":10}'; a text has double quotes in these: '"text"'.`

/**
 * Adds the fields of one argument. A value is JSON if it begins like an object, a list or a quoted text, or parses as
 * JSON; else a text: `3` is a number, `"3"` and `three` are texts, `[3` is refused.
 */
export function readFields(text: string, before: Fields = {}): Fields {
  return { ...before, ...(text.startsWith('{') ? (readJson(text) as Fields) : fieldOf(text)) }
}

function fieldOf(text: string): Fields {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('A field is name=value, or all of them are one JSON object.')
  return { [text.slice(0, equals)]: jsonOrText(text.slice(equals + 1)) }
}

function jsonOrText(text: string): unknown {
  if (/^\s*[{["]/.test(text)) return readJson(text)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
