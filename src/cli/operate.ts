/** The commands of operators: top, nodes, drain, order, pause and resume; their names, arguments, flags and texts. */
import { Argument, type Command, Option } from 'commander'
import { PROCESS_ROLES } from '../control/kinds.js'
import { LOG_LEVELS } from '../log.js'
import { dashboardOptions } from './settings/dashboard.js'
import { addOptions, choiceAmong, integer, nameOption, nextUrlOption, urlOption } from './settings.js'

const chosen = (command: Command): Command =>
  command
    .argument('[process]', 'the beginning of its name, from `takespace nodes`')
    .option('--host <name>', 'processes of this host')
    .addOption(
      new Option('--role <role>', `processes of this role: ${PROCESS_ROLES.join(', ')}`).argParser(
        choiceAmong(PROCESS_ROLES),
      ),
    )
    .option('--service <name>', 'processes of this service')
    .option('--of-release <name>', 'processes of this release')

const shared = (command: Command): Command =>
  command
    .addOption(urlOption())
    .addOption(nextUrlOption())
    .addOption(nameOption())
    .option('--json', 'print JSON, a line each')

const LONGEST_WAIT_MS = 86_400_000

const PROBES = ['live', 'startup', 'ready'] as const

export function operate(program: Command): void {
  program
    .command('healthcheck')
    .description(
      'ask a probe of the admin port of this host; the exit code is 0 if it is met (for containers without a shell)',
    )
    .addArgument(new Argument('[probe]', `the probe: ${PROBES.join(', ')}`).choices(PROBES).default('ready'))
    .addOption(new Option('--admin-port <port>', 'the admin port').argParser(integer(1, 65_535)).makeOptionMandatory())
    .addOption(new Option('--admin-host <address>', 'address of the admin port').default('127.0.0.1'))
    .option('--timeout-ms <ms>', 'maximum time for the answer', integer(1, LONGEST_WAIT_MS), 3_000)
    .action(async (probe, flags) => (await import('./commands/healthcheck.js')).healthcheck(probe, flags))
  program
    .command('top')
    .description('show services and processes of a space; the exit code rates it: 0 good, 1 degraded, 2 bad')
    .addOption(urlOption())
    .addOption(nextUrlOption())
    .addOption(nameOption())
    .option('--once', 'print the state once; without a terminal that is the default')
    .option('--json', 'print JSON, a line each time')
    .option('--interval-ms <ms>', 'time between two looks', integer(100, LONGEST_WAIT_MS), 1_000)
    .option('--count <n>', 'number of looks', integer(1, 2 ** 31 - 1))
    .action(async (flags, self: Command) => (await import('./commands/top.js')).top(flags, self))
  shared(chosen(program.command('nodes').description('list the processes of a space'))).action(
    async (process, flags, self: Command) => (await import('./commands/nodes.js')).nodes(process, flags, self),
  )
  shared(chosen(program.command('drain').description('let processes take nothing new, and wait until nothing is left')))
    .option('--all', 'all gateways and workers')
    .option('--undo', 'let them take again')
    .option('--stop', 'stop each when nothing is left; a supervisor starts another one')
    .option('--wait-ms <ms>', 'maximum time to wait until nothing is left', integer(0, LONGEST_WAIT_MS), 60_000)
    .action(async (process, flags, self: Command) => (await import('./commands/drain.js')).drain(process, flags, self))
  shared(
    chosen(
      program
        .command('order')
        .description('give an order to processes')
        .addArgument(
          new Argument(
            '<order>',
            'stop: drain and end; recall: give back what has not begun; suspend: be handed nothing until it answers; or a log level',
          ).choices(['stop', 'recall', 'suspend', ...LOG_LEVELS]),
        ),
    ),
  )
    .option('--all', 'all processes')
    .action(async (order, process, flags, self: Command) =>
      (await import('./commands/order.js')).orderCommand(order, process, flags, self),
    )
  shared(
    program.command('requests').description('list the oldest requests that run, and those that wait, with the reason'),
  )
    .option('--service <name>', 'those of this service')
    .option('--id <id>', 'the one of this id, as in the logs')
    .option('--withdraw', 'withdraw the request of --id: its client gets 504 at its deadline')
    .option('--max <n>', 'maximum number of waiting requests', integer(1, 1_000_000), 100)
    .action(async (flags, self: Command) => (await import('./commands/requests.js')).requests(flags, self))
  shared(program.command('schedules').description('list schedules, run one now, or end one'))
    .option('--run <schedule>', 'have its task done now, once more')
    .option('--remove <schedule>', 'end it')
    .action(async (flags, self: Command) => (await import('./commands/schedules.js')).schedulesCommand(flags, self))
  shared(program.command('transactions').description('list the transactions of all processes, or abort one'))
    .option('--abort <id>', 'abort it: its takes are undone, its writes dropped, its owner is told')
    .option('--max <n>', 'maximum number of transactions', integer(1, 10_000), 100)
    .action(async (flags, self: Command) =>
      (await import('./commands/transactions.js')).transactionsCommand(flags, self),
    )
  shared(program.command('ticket').description('print the state of an enqueued task'))
    .argument('<id>', 'id of its ticket')
    .option('--cancel', 'cancel the task first')
    .action(async (id, flags, self: Command) => (await import('./commands/ticket.js')).ticketCommand(id, flags, self))
  for (const verb of ['pause', 'resume'] as const) {
    const command = program
      .command(verb)
      .description(
        verb === 'pause' ? 'let no worker take requests of a service, or a task' : 'end a pause, or list all pauses',
      )
      .argument(verb === 'pause' ? '<name>' : '[name]', 'name of the service or task')
      .option('--task', 'it is the name of a task')
    if (verb === 'pause') command.option('--refuse', 'gateways answer 503 at once; by default requests wait')
    shared(command).action(async (name, flags, self: Command) =>
      (await import('./commands/pause.js')).pauseCommand(verb, name, flags, self),
    )
  }
  dashboards(program)
}

function dashboards(program: Command): void {
  const command = program
    .command('dashboard')
    .description('serve the dashboard of a space, a page for browsers; it can only be read unless rights are given')
    .addOption(
      new Option('--dashboard-port <port>', 'port of the dashboard, 0 = any free port')
        .default(9096)
        .argParser(integer(0, 65_535)),
    )
    .addOption(new Option('--dashboard-host <address>', 'address of the dashboard').default('127.0.0.1'))
  addOptions(command, ...dashboardOptions(), urlOption(), nextUrlOption(), nameOption()).action(
    async (flags, self: Command) => (await import('./commands/dashboard.js')).dashboard(flags, self),
  )
  command
    .command('passwd')
    .description('write a user of the dashboard into a file; the password is read from the terminal or standard input')
    .argument('<file>', 'the file of users; it is made if there is none')
    .argument('<user>', 'name of the user')
    .option('--role <role>', 'viewer (the default), operator or owner')
    .option('--rights <rights>', 'rights beside those of the role, with commas between them')
    .option('--token', 'add a token for programs and print it, instead of a password')
    .option('--no-password', 'write the role alone, for a login by a proxy')
    .option('--remove', 'remove the user')
    .action(async (file, user, flags, self: Command) =>
      (await import('./commands/dashboard.js')).passwd(file, user, flags, self),
    )
}
