/** Options of public functions: one that a function does not know is refused, with the name that was probably meant. */
import { SpaceError } from './errors.js'
import { didYouMean } from './nearest.js'

/**
 * @param what the function, as its user calls it
 * @returns the options
 * @throws SpaceError INVALID_ARGUMENT if `options` is no object, or has a property of its own that is not among `known`
 */
export function onlyKnown<O>(what: string, options: O, known: ReadonlySet<string>): O {
  if (typeof options !== 'object' || options === null) {
    throw new SpaceError('INVALID_ARGUMENT', `The options of ${what} are an object, not ${described(options)}.`)
  }
  // for-in makes no list: takes and writes come this way.
  for (const name in options) if (!known.has(name) && Object.hasOwn(options, name)) refuse(what, name, known)
  return options
}

function refuse(what: string, name: string, known: ReadonlySet<string>): never {
  const names = [...known].join(', ')
  throw new SpaceError(
    'INVALID_ARGUMENT',
    `${what} has no option ${name}.${didYouMean(name, known)} There ${known.size > 1 ? 'are' : 'is'} ${names}.`,
  )
}

const described = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : typeof value === 'function' ? 'a function' : String(value)
