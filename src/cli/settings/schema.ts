/** The types of settings, for texts of a command line or environment and values of a file. */
import { InvalidArgumentError } from 'commander'
import { trustOf } from '../../../gateway/trust.js'
import { isDurability } from '../../engine/durability.js'
import { directTerms } from '../../request/streams/direct/address.js'

/** Returns the parser of an option; `read` returns undefined for an invalid text, `wants` is the message for it. */
function reader<T>(read: (text: string) => T | undefined, wants: string): (text: string) => T {
  return (text) => {
    const value = read(text)
    if (value === undefined) throw new InvalidArgumentError(wants)
    return value
  }
}

export const integer = (min: number, max: number): ((text: string) => number) =>
  reader((text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max && Number.isSafeInteger(value) ? value : undefined
  }, `It must be an integer from ${min} to ${max}.`)

export const name = reader(
  (text) => (text.length >= 1 && text.length <= 100 ? text : undefined),
  'It must have 1 to 100 characters.',
)

export const operatorName = reader(
  (text) => (text.length <= 100 ? text : undefined),
  'It must have at most 100 characters.',
)

export const hostNames = reader(
  (text) => (/^[^\s:/,]+(,[^\s:/,]+)*$/.test(text) ? text : undefined),
  'It must be host names without ports, with commas between them.',
)

export const trustedProxies = reader((text): boolean | number | string | undefined => {
  const value = text === 'true' ? true : text === 'false' ? false : /^\d+$/.test(text) ? Number(text) : text
  try {
    trustOf(value)
    return value
  } catch {
    return undefined
  }
}, 'It must be a number of proxies, true, false, or addresses, CIDR ranges and names (loopback, linklocal, uniquelocal, private) with commas between them.')

export const protocolNames = reader(
  (text) => (/^[\w!#$%&'*+./^`|~-]+(?:,[\w!#$%&'*+./^`|~-]+)*$/.test(text) ? text : undefined),
  'It must be names of protocols, with commas between them.',
)

export const directStreams = reader((text) => {
  try {
    directTerms(text)
    return text
  } catch {
    return undefined
  }
}, 'It must be off, host, network, or the address under which workers reach this gateway, such as 10.0.0.5:7400.')

export const durability = reader(
  (text) => (isDurability(text) ? text : undefined),
  'It must be memory, local, fsync, or replicated:n with n from 1 to 99.',
)

export const choiceAmong = <const T extends readonly string[]>(values: T): ((text: string) => T[number]) =>
  reader((text) => values.find((value) => value === text.toLowerCase()), `It must be one of ${values.join(', ')}.`)

const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['true', '1', 'yes', 'on', 'y', 'enabled'].map((text) => [text, true])),
  ...Object.fromEntries(['false', '0', 'no', 'off', 'n', 'disabled'].map((text) => [text, false])),
}

/** Parses a boolean flag of the environment or a file. */
export const boolean = reader(
  (text) => (Object.hasOwn(BOOLEANS, text.toLowerCase()) ? BOOLEANS[text.toLowerCase()] : undefined),
  'It must be true or false.',
)

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Returns a value as the text of a command line; a list of objects is JSON. */
export const settingText = (value: unknown): string =>
  Array.isArray(value) && value.some(isObject) ? JSON.stringify(value) : String(value)

/** Returns the settings of a config file by name, as texts of a command line. */
export function readConfig(value: unknown): ReadonlyMap<string, string> {
  if (!isObject(value))
    throw new InvalidArgumentError("It exports an object of settings: { port: 8080, name: 'orders' }.")
  const settings = new Map<string, string>()
  for (const [key, found] of Object.entries(value as object)) {
    const isList = Array.isArray(found) && (found.every((each) => typeof each === 'string') || found.every(isObject))
    if (!isPlain(found) && !isList)
      throw new InvalidArgumentError(`${key} is a text, a number, true, false, or a list of texts or of objects.`)
    settings.set(key, settingText(found))
  }
  return settings
}
