/** `takespace ls`: lists the kinds in a space, or the entries of one, without taking them. */
import type { Command } from 'commander'
import { DEAD_LETTER, type Listed, OWN_KINDS } from '../../engine.js'
import { decodeFields } from '../../entry/codec.js'
import { Template } from '../../entry/template.js'
import { kindNamed } from '../../entry/token.js'
import { observeSpace } from '../../open.js'
import { shownIn, shownRequest } from '../../request/shown.js'
import { REQUEST, TASK } from '../../request.js'
import { freeEntries, type Listable, listEntries } from '../../space/listing.js'
import { deadLetterOf } from '../../tasks/dead-letter.js'
import { sharedUrl } from '../settings/shared-url.js'
import type { Fields } from './fields.js'

interface Flags {
  readonly url: string
  readonly name: string
  readonly max: number
  readonly json?: true
}

export async function list(
  kind: string | undefined,
  fields: Fields | [],
  flags: Flags,
  command: Command,
): Promise<void> {
  await using space = await observeSpace(sharedUrl(command, flags.url), flags.name)
  await (kind === undefined ? listKinds(space, flags) : listKind(space, kind, { ...fields }, flags))
}

async function listKinds(space: Listable, { json }: Flags): Promise<void> {
  for (const [kind, free] of await freeEntries(space)) {
    process.stdout.write(json ? `${JSON.stringify({ kind, free })}\n` : `${String(free).padStart(8)}  ${kind}\n`)
  }
}

async function listKind(space: Listable, kind: string, fields: Fields, { max, json }: Flags): Promise<void> {
  // No field counts as indexed: the shell does not know the root kind, under which fields are indexed.
  const { encoded } = new Template({ kind, parent: undefined, index: [] }, fields)
  for await (const entry of listEntries(space, encoded, max)) {
    process.stdout.write(json ? `${JSON.stringify(plainEntry(entry))}\n` : lineOf(entry))
  }
}

/** Returns an entry to print; requests and dead letters without headers and bodies, which may hold secrets. */
function plainEntry(entry: Listed): Record<string, unknown> {
  const { id, priority, writtenAt, remainingMs, deaths } = entry
  const kind = kindNamed(entry.kinds[0]!)
  const info = { kind, id, priority, writtenAt, leaseMs: Number.isFinite(remainingMs) ? remainingMs : null }
  if (kind === REQUEST || kind === TASK) return { ...info, attempts: deaths, ...shownIn(entry.body) }
  if (kind !== DEAD_LETTER && kind.startsWith(OWN_KINDS)) return info
  if (kind !== DEAD_LETTER) return { ...info, fields: decodeFields(entry.body) }
  const { request, ...deadLetter } = deadLetterOf(entry)
  return {
    ...info,
    was: deadLetter.kind,
    reason: deadLetter.reason,
    attempts: deadLetter.attempts,
    service: deadLetter.service,
    ...(request && shownRequest(request)),
  }
}

function lineOf(entry: Listed): string {
  const { kind, id, writtenAt, fields, priority, leaseMs, ...rest } = plainEntry(entry)
  return `${new Date(Number(writtenAt)).toISOString()}  ${id}  ${kind} ${JSON.stringify(fields ?? rest)}\n`
}
