/** The entry that a ticket is, before and after it is settled, and the templates by which both are found. */

import { PENDING, RESULT, TICKET, type TicketTerms } from '../engine/tickets.js'
import type { EncodedEntry, EncodedTemplate } from '../engine.js'
import { tokenOf } from './token.js'

const token = (id: string): string => `ticket=${tokenOf(id)}`

/** The outcome of a ticket, to be found and waited for as any entry. */
export const resultTemplate = (id: string): EncodedTemplate => ({
  kind: RESULT,
  root: TICKET,
  indexed: [token(id)],
  verified: [],
  partition: id,
})

/** A ticket on which something is noted; those of a group, or a single one. */
export const progressTemplate = (by: { readonly id?: string; readonly group?: string }): EncodedTemplate => ({
  kind: PENDING,
  root: TICKET,
  indexed: [],
  verified: [by.id === undefined ? `group=${tokenOf(by.group ?? '')}` : token(by.id)],
  partition: by.id,
})

/** The entry that a ticket is until it is settled. */
export function pendingEntry({ id, fingerprint, leaseMs, keptMs, group, owner }: TicketTerms): EncodedEntry {
  const verified = [`print=${tokenOf(fingerprint)}`, `kept=${tokenOf(keptMs)}`]
  if (group !== undefined) verified.push(`group=${tokenOf(group)}`)
  if (owner !== undefined) verified.push(`owner=${tokenOf(owner)}`)
  return { id, kinds: [PENDING, TICKET], indexed: [token(id)], verified, body: Buffer.alloc(0), leaseMs, priority: 0 }
}

/** The same once it is settled. */
export function resultEntry(pending: EncodedEntry, kind: string, keptMs: number, body: Buffer): EncodedEntry {
  const verified = pending.verified.filter((each) => /^(?:print|owner)=/.test(each))
  return { ...pending, kinds: [kind, RESULT, TICKET], verified, body, leaseMs: keptMs }
}
