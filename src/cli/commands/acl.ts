/** `takespace acl`: prints the user of Redis with the least rights for a role; `takespace load` loads the functions. */
import { Argument, type Command } from 'commander'
import { nameOption, sharedUrl, urlOption } from '../settings.js'

interface Flags {
  readonly url: string
  readonly name: string
  readonly user?: string
  readonly load: boolean
}

const LOOK_MS = 5_000

export function acl(program: Command): void {
  program
    .command('acl')
    .description('print the command that makes a user of Redis with the least rights for a role')
    .addArgument(
      new Argument('<role>', 'kind of process').choices([
        'gateway',
        'worker',
        'program',
        'scheduler',
        'observer',
        'loader',
      ]),
    )
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

async function print(role: string, { user = role, name, load: loads, url }: Flags, command: Command): Promise<void> {
  if (/\s/.test(user)) command.error('error: --user is a name without spaces.')
  const [{ setUserCommand }, { addressOf }] = await Promise.all([
    import('../../engines/redis/roles.js'),
    import('../../engines/redis/wire/address.js'),
  ])
  const { database } = addressOf(sharedUrl(command, url))
  process.stdout.write(`${setUserCommand(role as 'gateway', { user, space: name, database, loads })}\n`)
}

async function load(url: string): Promise<void> {
  const { loadLibrary } = await import('../../engines/redis/inspect.js')
  process.stdout.write(`${await loadLibrary(url, LOOK_MS)} is loaded\n`)
}
