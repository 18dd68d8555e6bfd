/** `takespace read`, `take` and `write`: a space from the shell. */
import type { Command } from 'commander'
import { AnyEntry, defineEntry, type Entry, entryInfo, type Space } from '../../index.js'
import { openSpace } from '../../open.js'
import { integer, nameOption, sharedUrl, urlOption } from '../settings.js'
import { type Fields, readFields } from './fields.js'

interface Flags {
  readonly url: string
  readonly name: string
  readonly json?: true
  readonly waitMs: number
  readonly leaseMs?: number
  readonly priority: number
}

/** The exit code if no entry matched. */
const EXIT_NOTHING = 1

const LONGEST_WAIT_MS = 2 ** 31 - 1
/** A century: some programs cannot print later dates. */
const CENTURY_MS = 100 * 365 * 86_400_000

export function entries(program: Command): void {
  for (const verb of ['read', 'take'] as const) {
    commandOf(program, verb, verb === 'read' ? 'print an entry that matches' : 'take an entry out and print it')
      .option('--wait-ms <ms>', 'maximum time to wait for an entry', integer(0, LONGEST_WAIT_MS), 0)
      .action((kind: string, fields: Fields | [], flags: Flags, command: Command) =>
        withSpace(command, flags, (space) => find(space, verb, kind, { ...fields }, flags)),
      )
  }
  commandOf(program, 'write', 'write an entry')
    .option('--lease-ms <ms>', 'lease of the entry (default: a day)', integer(0, CENTURY_MS))
    .option('--priority <n>', 'entries of higher priority are found first', integer(-128, 127), 0)
    .action((kind: string, fields: Fields | [], flags: Flags, command: Command) =>
      withSpace(command, flags, (space) => write(space, kind, { ...fields }, flags)),
    )
}

const commandOf = (program: Command, verb: string, what: string): Command =>
  program
    .command(verb)
    .description(what)
    .argument('<kind>', verb === 'write' ? 'name of the kind' : "name of the kind; '*' = every kind")
    .argument('[fields...]', 'name=value, or one JSON object', readFields)
    .addOption(urlOption())
    .addOption(nameOption())
    .option('--json', 'print JSON')

async function withSpace(command: Command, flags: Flags, use: (space: Space) => Promise<void>): Promise<void> {
  const space = await openSpace(sharedUrl(command, flags.url), { name: flags.name })
  try {
    await use(space)
  } finally {
    await space.close()
  }
}

async function find(space: Space, verb: 'read' | 'take', name: string, fields: Fields, flags: Flags): Promise<void> {
  // No field counts as indexed: the shell does not know the root kind, under which fields are indexed.
  const kind = name === '*' ? AnyEntry : defineEntry<Record<string, unknown>>(name, { index: [] })
  const { waitMs, json } = flags
  const entry = await space[verb](kind.template(fields), { waitMs })
  if (entry) {
    print(entry, json)
    return
  }
  if (json) process.stdout.write('null\n')
  else process.stderr.write('takespace: No entry matches.\n')
  process.exitCode = EXIT_NOTHING
}

async function write(space: Space, name: string, fields: Fields, { leaseMs, priority, json }: Flags): Promise<void> {
  const entry = defineEntry<Record<string, unknown>>(name)(fields)
  const { expiresAt } = await space.write(entry, { priority, ...(leaseMs === undefined ? {} : { leaseMs }) })
  const until = new Date(expiresAt).toISOString()
  process.stdout.write(json ? `${JSON.stringify({ kind: name, expiresAt, fields })}\n` : `written until ${until}\n`)
}

function print(entry: Entry<object>, json: true | undefined): void {
  const { kind, ...info } = entryInfo(entry)
  const line = json ? JSON.stringify({ kind, ...info, fields: entry }) : `${kind} ${JSON.stringify(entry)}`
  process.stdout.write(`${line}\n`)
}
