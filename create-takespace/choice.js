/** The choice of a new project: what may be chosen, the defaults, and what is refused. */
import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'

export const FRAMEWORKS = ['express', 'fastify', 'hono', 'nest']
export const LANGUAGES = ['ts', 'js']

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

export const DEFAULTS = { folder: 'my-app', framework: 'express', language: 'ts', takespace: `^${version}` }

/** What the user asked for and cannot have. */
export class ChoiceError extends Error {}

/**
 * Returns the whole choice, with the defaults for what was not given.
 * @throws ChoiceError for a framework, language or folder that is not possible
 */
export function chosen(given) {
  const folder = resolve(given.folder ?? DEFAULTS.folder)
  return {
    folder,
    name: packageNameOf(basename(folder)),
    framework: oneOf('--framework', FRAMEWORKS, given.framework ?? DEFAULTS.framework),
    language: oneOf('--language', LANGUAGES, given.language ?? DEFAULTS.language),
    takespace: given.takespace ?? DEFAULTS.takespace,
  }
}

function oneOf(flag, names, name) {
  if (!names.includes(name)) throw new ChoiceError(`${flag} is ${names.join(', ')}; got ${JSON.stringify(name)}.`)
  return name
}

/** Returns the name of the folder as npm allows it: lower case, letters, digits, `-`, `_` and `.`, not first. */
function packageNameOf(folder) {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|[._-]+$/g, '')
  if (name === '') throw new ChoiceError(`${JSON.stringify(folder)} has no letter for the name of a package.`)
  return name.slice(0, 214)
}
