/** The function library: its versioned name, and loading it into a server that lacks it. */

import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../library.generated.js'
import type { Commands } from './commands.js'

// Names carry the version of the content: two releases share a server, and each calls its own functions.
const NAME = `takespace_${LIBRARY_VERSION}`

/** The name of the library in its pushes. */
export const LIBRARY = `${NAME}_`.slice(-5)

export const BATCH = `${NAME}_batch`
export const BEAT = `${NAME}_beat`
export const SAVE = `${NAME}_save`

const CODE = `#!lua name=${NAME}\n${LIBRARY_SOURCE.replaceAll('VERSION_', `${NAME}_`)}`

/**
 * Loads the library if the server lacks it. Needs the right to FUNCTION LOAD only if no other process has loaded it.
 */
export async function ensureLibrary(redis: Commands): Promise<void> {
  const listed = (await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', NAME)) as unknown[]
  if (listed.length > 0) return
  await redis.call('FUNCTION', 'LOAD', CODE).catch((error: Error) => {
    // Two processes that start together both find it absent.
    if (!/already exists/.test(error.message)) throw error
  })
}

/** Returns whether the server lacks the functions, because they were flushed. */
export const isLibraryMissing = (error: Error): boolean => /Function not found/i.test(error.message)
