/** The function library: its versioned name, loading and verifying it, and the rights that its functions need. */
import { SpaceError } from '../../../errors.js'
import { LIBRARY_COMMANDS, LIBRARY_SOURCE, LIBRARY_VERSION } from '../library.generated.js'
import type { Commands } from './commands.js'
import { missingCommands } from './refusal.js'

// Names carry the version of the content: two releases share a server, and each calls its own functions.
export const LIBRARY_NAME = `takespace_${LIBRARY_VERSION}`

/** The name of the library in its pushes. */
export const LIBRARY = `${LIBRARY_NAME}_`.slice(-5)

export const BATCH = `${LIBRARY_NAME}_batch`
export const BEAT = `${LIBRARY_NAME}_beat`
export const SAVE = `${LIBRARY_NAME}_save`
/** Reads without a presence, as a user who may only read. */
export const LOOK = `${LIBRARY_NAME}_look`
const RIGHTS = `${LIBRARY_NAME}_rights`

/** Made when it is needed: a text of 180 kB. */
const codeOfLibrary = (): string =>
  `#!lua name=${LIBRARY_NAME}\n${LIBRARY_SOURCE.replaceAll('VERSION_', `${LIBRARY_NAME}_`)}`

/** The state of the library on a server; `differs`: another text stands under its name. */
export type LibraryState = 'loaded' | 'absent' | 'differs'

/**
 * Returns whether the server has the library, compared by its text: anybody who may load functions may load others
 * under its name.
 */
export async function libraryState(redis: Commands): Promise<LibraryState> {
  const [library] = (await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', LIBRARY_NAME, 'WITHCODE')) as unknown[][]
  if (!library) return 'absent'
  const code = library[library.indexOf('library_code') + 1]
  return code === codeOfLibrary() ? 'loaded' : 'differs'
}

/**
 * Loads the library if the server lacks it, and replaces a foreign one under its name: the name is a hash of the
 * text, so no release of takespace has another text under it. Needs the right to FUNCTION LOAD only then.
 *
 * @param onReplaced called after a foreign library was replaced
 * @throws SpaceError REDIS_REFUSED if the library must be loaded, and this user may not; REDIS_UNSUITABLE if another
 *   library has functions of these names
 */
export async function ensureLibrary(redis: Commands, onReplaced: () => void): Promise<void> {
  const state = await libraryState(redis)
  if (state === 'loaded') return
  try {
    await redis.call('FUNCTION', 'LOAD', 'REPLACE', codeOfLibrary())
    if (state === 'differs') onReplaced()
  } catch (cause) {
    const { message } = cause as Error
    if (message.startsWith('NOPERM')) {
      const found = state === 'absent' ? 'lacks the library' : 'has another library under the name'
      throw new SpaceError(
        'REDIS_REFUSED',
        `The server ${found} ${LIBRARY_NAME}, and this user may not load functions: run \`takespace load\` as one who may.`,
        { cause },
      )
    }
    // Only a library of another name can be in the way of LOAD REPLACE.
    if (!/already exists/.test(message)) throw cause
    throw new SpaceError(
      'REDIS_UNSUITABLE',
      `Another library has functions of takespace (${message}): find it with FUNCTION LIST, and delete it.`,
      { cause },
    )
  }
}

/**
 * Checks that this user may run all commands of the functions on the keys of the space. `key` is one of them.
 * @throws SpaceError REDIS_REFUSED, REDIS_UNSUITABLE, with the names of the commands
 */
export async function checkRights(redis: Commands, key: string): Promise<void> {
  const { denied, lacking } = await missingRights(redis, key)
  if (lacking.length > 0) throw new SpaceError('REDIS_UNSUITABLE', missingCommands(lacking))
  if (denied.length > 0) {
    throw new SpaceError('REDIS_REFUSED', `On keys like ${key} this user may not run ${denied.join(', ')}.`)
  }
}

/** Returns the commands of the functions that this user may not run, and those that the server lacks. */
export async function missingRights(
  redis: Commands,
  key: string,
): Promise<{ readonly denied: readonly string[]; readonly lacking: readonly string[] }> {
  const missing = (await redis.call('FCALL', RIGHTS, '1', key, ...LIBRARY_COMMANDS)) as string[]
  const lacking = missing.filter((each) => each.startsWith('?')).map((each) => each.slice(1))
  return { denied: missing.filter((each) => !each.startsWith('?')), lacking }
}

/** Returns whether the server lacks the functions, because they were flushed. */
export const isLibraryMissing = (error: Error): boolean => /Function not found/i.test(error.message)
