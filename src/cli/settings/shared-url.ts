/** The address of the space with the settings of the connection. */
import type { Command } from 'commander'
import { withParameters } from '../../engines/redis/wire/address.js'
import { DEFAULT_URL } from '../settings.js'
import { ACCESS_OPTIONS } from './access.js'

/**
 * Returns the address with the settings of the connection. Refuses a space in memory: a gateway and its workers are
 * several processes.
 */
export function sharedUrl(command: Command, url: string = DEFAULT_URL): string {
  if (url.startsWith('memory:')) {
    command.error(
      `memory: is a space within one process, so a ${command.name()} alone on it would meet nobody. ` +
        'Give a Redis with --url, or run both in one process: takespace dev ./app.js',
    )
  }
  return withAccess(command, url)
}

/** Returns the address to which the space moves, if it moves, with the settings of the connection. */
export const sharedNextUrl = (command: Command, nextUrl: string | undefined): string | undefined =>
  nextUrl === undefined ? undefined : withAccess(command, nextUrl)

/** Returns the address with these settings as its parameters. */
function withAccess(command: Command, url: string): string {
  const flags = command.opts<Record<string, string | undefined>>()
  return withParameters(
    url,
    Object.fromEntries(Object.entries(ACCESS_OPTIONS).map(([name, option]) => [name, flags[option.attributeName()]])),
  )
}
