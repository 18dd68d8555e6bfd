/** The function library: its versioned name, and how it gets into a server that lacks it. */

import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../library.generated.js'
import type { Commands } from './commands.js'

// Names carry the version of the content: two releases share a server, each calling its own functions.
const NAME = `takespace_${LIBRARY_VERSION}`

export const BATCH = `${NAME}_batch`
export const BEAT = `${NAME}_beat`
export const SAVE = `${NAME}_save`

const CODE = `#!lua name=${NAME}\n${LIBRARY_SOURCE.replaceAll('VERSION_', `${NAME}_`)}`

/** Loads the library unless it is there. Needs the right to FUNCTION LOAD only where nobody with it has been before. */
export async function ensureLibrary(redis: Commands): Promise<void> {
  const listed = (await redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', NAME)) as unknown[]
  if (listed.length > 0) return
  await redis.call('FUNCTION', 'LOAD', CODE).catch((error: Error) => {
    // Two processes that start together both find it absent.
    if (!/already exists/.test(error.message)) throw error
  })
}

/** What the server answers when somebody flushed its functions. */
export const isLibraryMissing = (error: Error): boolean => /Function not found/i.test(error.message)
