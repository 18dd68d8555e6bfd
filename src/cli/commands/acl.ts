/** `takespace acl`: prints the user of Redis with the least rights for a role; `takespace load` loads the functions. */
import type { Command } from 'commander'
import type { RoleName } from '../../engines/redis/roles.js'
import { sharedUrl } from '../settings/shared-url.js'

interface Flags {
  readonly url: string
  readonly name: string
  readonly user?: string
  readonly load: boolean
}

const LOOK_MS = 5_000

export async function acl(
  role: RoleName,
  { user = role, name, load: loads, url }: Flags,
  command: Command,
): Promise<void> {
  if (/\s/.test(user)) command.error('error: --user is a name without spaces.')
  const [{ setUserCommand }, { addressOf }] = await Promise.all([
    import('../../engines/redis/roles.js'),
    import('../../engines/redis/wire/address.js'),
  ])
  const { database, seeds } = addressOf(sharedUrl(command, url))
  process.stdout.write(`${setUserCommand(role, { user, space: name, database, seeds: seeds?.of, loads })}\n`)
}

export async function loadFunctions(flags: { readonly url: string }, command: Command): Promise<void> {
  const { loadLibrary } = await import('../../engines/redis/inspect.js')
  process.stdout.write(`${await loadLibrary(sharedUrl(command, flags.url), LOOK_MS)} is loaded\n`)
}
