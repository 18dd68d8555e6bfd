/** `takespace read`, `take` and `write`: a space from the shell. */
import type { Command } from 'commander'
import { AnyEntry, defineEntry, type Entry, entryInfo, type Space } from '../../index.js'
import { openSpace } from '../../open.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'
import type { Fields } from './fields.js'

interface Flags {
  readonly url: string
  readonly nextUrl?: string
  readonly name: string
  readonly json?: true
  readonly waitMs: number
  readonly leaseMs?: number
  readonly priority: number
}

/** The exit code if no entry matched. */
const EXIT_NOTHING = 1

export function findEntry(
  verb: 'read' | 'take',
  kind: string,
  fields: Fields | [],
  flags: Flags,
  command: Command,
): Promise<void> {
  return withSpace(command, flags, (space) => find(space, verb, kind, { ...fields }, flags))
}

export function writeEntry(kind: string, fields: Fields | [], flags: Flags, command: Command): Promise<void> {
  return withSpace(command, flags, (space) => write(space, kind, { ...fields }, flags))
}

async function withSpace(command: Command, flags: Flags, use: (space: Space) => Promise<void>): Promise<void> {
  const space = await openSpace(sharedUrl(command, flags.url), {
    name: flags.name,
    nextUrl: sharedNextUrl(command, flags.nextUrl),
  })
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
