/** `takespace acl`: prints the user of Redis with the least rights for a role; `takespace load` loads the functions. */
import { Argument, type Command } from 'commander'
import type { RoleName } from '../../engines/redis/roles.js'
import { nameOption, sharedUrl, urlOption } from '../settings.js'

/** The roles, each with the commands of takespace that it is for. */
const ROLES = {
  gateway: 'gateway',
  worker: 'worker',
  program: 'openSpace, write, take, read, enqueue, dead requeue and drop',
  scheduler: 'scheduler, gateway --scheduler',
  observer: 'ls, dead ls, dead show, doctor',
  loader: 'load',
} satisfies Record<RoleName, string>

interface Flags {
  readonly url: string
  readonly name: string
  readonly user?: string
  readonly load: boolean
}

const LOOK_MS = 5_000

export function acl(program: Command): void {
  const described = Object.entries(ROLES)
    .map(([role, commands]) => `${role} (${commands})`)
    .join(', ')
  program
    .command('acl')
    .description('print the command that makes a user of Redis with the least rights for a role')
    .addArgument(new Argument('<role>', `kind of process: ${described}`).choices(Object.keys(ROLES)))
    .option('--user <name>', 'name of the user (default: the role)')
    .option('--no-load', 'without the right to load functions: `takespace load` must run before each new release')
    .addOption(urlOption())
    .addOption(nameOption())
    .action(print)
  program
    .command('load')
    .description('load the functions into Redis, for processes whose users may not')
    .addOption(urlOption())
    .action((flags: { readonly url: string }, command: Command) => load(sharedUrl(command, flags.url)))
}

async function print(role: RoleName, { user = role, name, load: loads, url }: Flags, command: Command): Promise<void> {
  if (/\s/.test(user)) command.error('error: --user is a name without spaces.')
  const [{ setUserCommand }, { addressOf }] = await Promise.all([
    import('../../engines/redis/roles.js'),
    import('../../engines/redis/wire/address.js'),
  ])
  const { database } = addressOf(sharedUrl(command, url))
  process.stdout.write(`${setUserCommand(role, { user, space: name, database, loads })}\n`)
}

async function load(url: string): Promise<void> {
  const { loadLibrary } = await import('../../engines/redis/inspect.js')
  process.stdout.write(`${await loadLibrary(url, LOOK_MS)} is loaded\n`)
}
