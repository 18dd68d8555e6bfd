/** The commands: their names, arguments, flags and texts. The code of a command is imported when it runs. */
import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import type { RoleName } from '../engines/redis/roles.js'
import { readFields, readJson } from './commands/fields.js'
import { operate } from './operate.js'
import { settingsOf } from './settings/precedence.js'
import {
  addOptions,
  durabilityOption,
  gatewayOptions,
  integer,
  nameOption,
  nextUrlOption,
  operatorOptions,
  processesOption,
  serviceOption,
  supervisorOptions,
  urlOption,
  workerOptions,
} from './settings.js'

const APP = 'the app file: it exports its app (default, `app` or `createApp`) or `tasks`, or listens'

/** Adds all commands, in the order of the help text. */
export function addCommands(program: Command): void {
  for (const add of [
    dev,
    gateway,
    worker,
    processes,
    scheduler,
    enqueue,
    list,
    entries,
    dead,
    operate,
    migrate,
    doctor,
    acl,
  ])
    add(program)
}

/** A comma in the braces of a glob does not separate paths. */
const OUTSIDE_BRACES = /,(?![^{]*\})/

const paths = (flags: string, description: string): Option =>
  new Option(flags, description)
    .default([])
    .argParser((text: string, before: readonly string[] = []) => [...before, ...text.split(OUTSIDE_BRACES)])

/** In memory there is no durability. */
const inMemory = (options: readonly Option[]): Option[] => options.filter(({ long }) => long !== '--durability')

function dev(program: Command): void {
  const command = program
    .command('dev')
    .description('serve an app from one process, with the space in memory, and reload it when its files change')
    .argument('<app>', APP)
    .addOption(new Option('--no-reload', 'do not reload the app when its files change'))
    .addOption(paths('--watch <paths>', 'more files, folders or globs to watch; may be given again'))
    .addOption(paths('--ignore <paths>', 'never reload for these: files, folders or globs; may be given again'))
  addOptions(command, ...inMemory([...gatewayOptions(), ...workerOptions()])).action(
    async (file, flags, self: Command) => (await import('./commands/dev.js')).dev(file, flags, self),
  )
}

function gateway(program: Command): void {
  const command = program.command('gateway').description('take HTTP requests and write them into the space')
  addOptions(command, urlOption(), nextUrlOption(), nameOption(), ...gatewayOptions(), processesOption('gateway'))
    .option('--scheduler', 'run a scheduler in this process, too, like takespace scheduler')
    .action(async (flags, self: Command) => (await import('./commands/gateway.js')).gateway(flags, self))
}

function worker(program: Command): void {
  const command = program
    .command('worker')
    .description('take requests from the space and answer them with an app')
    .argument('<app>', APP)
  addOptions(command, urlOption(), nextUrlOption(), nameOption(), ...workerOptions(), ...supervisorOptions()).action(
    async (app, flags, self: Command) => (await import('./commands/worker.js')).worker(app, flags, self),
  )
}

/** The processes of a supervisor. */
function processes(program: Command): void {
  const worker = program.command('worker-process', { hidden: true }).argument('<app>')
  addOptions(worker, urlOption(), nextUrlOption(), nameOption(), ...workerOptions()).action(
    async (app, flags, self: Command) =>
      (await import('./supervisor/worker-process.js')).workerProcess(app, flags, self),
  )
  program
    .command('gateway-process', { hidden: true })
    .action(async () => (await import('./supervisor/gateway-process.js')).gatewayProcess())
}

function queues(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.some((name) => name === '' || name.includes(':'))) {
    throw new InvalidArgumentError('It is the name of a queue, without a colon, or several with commas between them.')
  }
  return [...before, ...names]
}

function scheduler(program: Command): void {
  const command = program
    .command('scheduler')
    .description('write tasks into the space when they are due; BullMQ keeps them until then')
    .option('--from-queue <name>', 'run the jobs of a BullMQ queue as tasks; may be given again', queues)
    .addOption(serviceOption())
    .addOption(urlOption())
    .addOption(nextUrlOption())
    .addOption(nameOption())
    .addOption(durabilityOption())
    .option('--jobs <n>', 'maximum number of jobs of a queue that workers hold at a time', integer(1, 100_000), 1_000)
    .option('--job-timeout-ms <ms>', 'maximum time for a job of --from-queue', integer(1, 2 ** 31 - 1), 86_400_000)
    .action(async (flags, self: Command) => (await import('./commands/scheduler.js')).scheduler(flags, self))
  addOptions(command, ...operatorOptions())
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function duration(text: string): number {
  const [, number, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim()) ?? []
  if (number === undefined) throw new InvalidArgumentError('It is a number and a unit: 500ms, 5s, 10m, 2h or 1d.')
  return Number(number) * UNITS[unit]!
}

function enqueue(program: Command): void {
  program
    .command('enqueue')
    .description('enqueue a task for a worker')
    .argument('<task>', 'name of the task')
    .argument('[input]', `input of the task, as JSON: '{"width":10}', 3, '"text"'`, readJson)
    .option('--wait', 'wait for its result and print it; progress is shown on a terminal')
    .option('--delay <time>', 'time until it is due: 500ms, 5s, 10m, 2h, 1d', duration)
    .option('--attempts <n>', 'maximum number of attempts', integer(1, 1_000), 1)
    .option('--backoff <time>', 'pause before the second attempt, doubled before each further one', duration)
    .option('--priority <n>', 'tasks of higher priority are taken first', integer(-128, 127), 0)
    .option('--key <text>', 'idempotency key: a task is enqueued once per key')
    .addOption(serviceOption())
    .addOption(urlOption())
    .addOption(nextUrlOption())
    .addOption(nameOption())
    .option('--json', 'print JSON')
    .action(async (task, input, flags, self: Command) =>
      (await import('./commands/enqueue.js')).enqueueCommand(task, input, flags, self),
    )
}

function list(program: Command): void {
  program
    .command('ls')
    .description('list the kinds in a space, or the entries of one, best first')
    .argument('[kind]', 'name of a kind; also takespace.Request, takespace.Task and takespace.DeadLetter')
    .argument('[fields...]', 'name=value, or one JSON object', readFields)
    .addOption(urlOption())
    .addOption(nameOption())
    .option('--max <n>', 'maximum number of lines', integer(1, 1_000_000), 100)
    .option('--json', 'print JSON, a line each')
    .action(async (kind, fields, flags, self: Command) =>
      (await import('./commands/list.js')).list(kind, fields, flags, self),
    )
}

const LONGEST_WAIT_MS = 2 ** 31 - 1
/** A century: some programs cannot print later dates. */
const CENTURY_MS = 100 * 365 * 86_400_000

function entries(program: Command): void {
  for (const verb of ['read', 'take'] as const) {
    onEntries(program, verb, verb === 'read' ? 'print an entry that matches' : 'take an entry out and print it')
      .option('--wait-ms <ms>', 'maximum time to wait for an entry', integer(0, LONGEST_WAIT_MS), 0)
      .action(async (kind, fields, flags, self: Command) =>
        (await import('./commands/entries.js')).findEntry(verb, kind, fields, flags, self),
      )
  }
  onEntries(program, 'write', 'write an entry')
    .option('--lease-ms <ms>', 'lease of the entry (default: a day)', integer(0, CENTURY_MS))
    .option('--priority <n>', 'entries of higher priority are found first', integer(-128, 127), 0)
    .action(async (kind, fields, flags, self: Command) =>
      (await import('./commands/entries.js')).writeEntry(kind, fields, flags, self),
    )
}

const onEntries = (program: Command, verb: string, what: string): Command =>
  program
    .command(verb)
    .description(what)
    .argument('<kind>', verb === 'write' ? 'name of the kind' : "name of the kind; '*' = every kind")
    .argument('[fields...]', 'name=value, or one JSON object', readFields)
    .addOption(urlOption())
    .addOption(nextUrlOption())
    .addOption(nameOption())
    .option('--json', 'print JSON')

function dead(program: Command): void {
  const group = program.command('dead').description('list, show, requeue or drop dead letters')
  const add = (verb: 'ls' | 'show' | 'requeue' | 'drop', what: string): Command =>
    group
      .command(verb)
      .description(what)
      .addOption(urlOption())
      .addOption(nextUrlOption())
      .addOption(nameOption())
      .option('--json', 'print JSON')
      .action(async (...args) => {
        const self = args.at(-1) as Command
        await (await import('./commands/dead.js')).dead(verb, self.args, self)
      })
  add('ls', 'list dead letters, with reason, attempts and last error').option(
    '--max <n>',
    'maximum number of dead letters',
    integer(1, 1_000_000),
    100,
  )
  const id = (): Argument => new Argument('<id...>', 'id of a dead letter, from `dead ls`')
  const ids = (): Argument => new Argument('[id...]', 'ids of dead letters, from `dead ls`')
  add('show', 'show dead letters with their input').addArgument(id())
  chosenLetters(add('requeue', 'enqueue the tasks or requests again').addArgument(ids()))
  chosenLetters(add('drop', 'remove dead letters').addArgument(ids()))
}

const chosenLetters = (command: Command): Command =>
  command
    .option('--all', 'all dead letters')
    .option('--reason <reason>', 'those of this reason')
    .option('--service <name>', 'those of this service')
    .option('--task <name>', 'those of this task')
    .option('--max <n>', 'maximum number of chosen dead letters', integer(1, 1_000_000), 1_000)

function migrate(program: Command): void {
  program
    .command('migrate')
    .description(
      'move a space to another Redis, or to another number of partitions, while it serves; all processes must have both addresses',
    )
    .addOption(urlOption())
    .addOption(nextUrlOption())
    .addOption(nameOption())
    .option('--dry-run', 'print where the move stands, and change nothing')
    .option('--json', 'print JSON, a line each')
    .action(async (flags, self: Command) => (await import('./commands/migrate.js')).migrate(flags, self))
}

function doctor(program: Command): void {
  program
    .command('doctor')
    .description('check the server of the space and print what to change')
    .addOption(urlOption())
    .addOption(nameOption())
    .option('--repair', 'restore indexes and queues from the entries; put foreign keys aside')
    .option('--json', 'print JSON')
    .action(async (flags, self: Command) => (await import('./commands/doctor.js')).doctor(flags, self))
}

/** The roles, each with the commands of takespace that it is for. */
const ROLES = {
  gateway: 'gateway',
  worker: 'worker',
  program:
    'openSpace, write, take, read, enqueue, dead requeue and drop, drain, order, pause, resume, requests --withdraw, ticket --cancel, dashboard',
  scheduler: 'scheduler, gateway --scheduler',
  mover: 'migrate, at both addresses',
  observer: 'ls, dead ls, dead show, doctor, nodes, top, requests, ticket, dashboard --dashboard-read-only',
  loader: 'load',
} satisfies Record<RoleName, string>

function acl(program: Command): void {
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
    .action(async (role, flags, self: Command) => (await import('./commands/acl.js')).acl(role, flags, self))
  program
    .command('load')
    .description('load the functions into Redis, for processes whose users may not')
    .addOption(urlOption())
    .action(async (flags, self: Command) => (await import('./commands/acl.js')).loadFunctions(flags, self))
}

/** Must be called after all others: this command shows their settings. */
export function addConfig(program: Command): void {
  const command = program
    .command('config')
    .description('print the settings in effect and the source of each')
    .option('--json', 'print JSON')
    .action(async (_flags, self: Command) => (await import('./commands/config.js')).config(self))
  const seen = new Set<string>()
  for (const option of program.commands.flatMap((other) => (other === command ? [] : settingsOf(other)))) {
    if (seen.has(option.attributeName())) continue
    seen.add(option.attributeName())
    command.addOption(option)
  }
}
