/** Checks the options of public functions: an unknown option is refused, with the nearest known name; null is no value. */
import { SpaceError } from '../errors.js'
import { didYouMean } from './did-you-mean.js'

/** Options that have another place now, by their old names. */
export type Moved = Readonly<Record<string, string>>

/**
 * Refuses an option that is not among `known`, or is null. An option that is undefined is not given.
 *
 * @param what the function, as its user calls it
 * @param moved the new names of options that are refused under their old ones
 * @param nullable the options that may be null
 * @returns the options
 * @throws SpaceError INVALID_ARGUMENT if `options` is no object, has a property of its own that is not among `known`, or
 *   one that is null
 */
export function onlyKnown<O>(
  what: string,
  options: O,
  known: ReadonlySet<string>,
  moved: Moved = {},
  nullable?: ReadonlySet<string>,
): O {
  if (typeof options !== 'object' || options === null) {
    throw new SpaceError('INVALID_ARGUMENT', `The options of ${what} must be an object, not ${described(options)}.`)
  }
  // for-in allocates no list of names: every take and write calls this.
  for (const name in options) {
    if (!known.has(name) && Object.hasOwn(options, name)) refuseOption(what, name, known, moved)
    if (options[name] === null && !nullable?.has(name)) {
      throw new SpaceError('INVALID_ARGUMENT', `The option ${name} of ${what} must not be null: leave it out.`)
    }
  }
  return options
}

function refuseOption(what: string, name: string, known: ReadonlySet<string>, moved: Moved): never {
  const place = Object.hasOwn(moved, name) ? moved[name] : undefined
  const hint = place ? ` ${name} is ${place} now.` : didYouMean(name, [...known, ...Object.values(moved)])
  throw new SpaceError(
    'INVALID_ARGUMENT',
    `${what} has no option ${name}.${hint} There ${known.size > 1 ? 'are' : 'is'} ${[...known].join(', ')}.`,
  )
}

const described = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : typeof value === 'function' ? 'a function' : String(value)
