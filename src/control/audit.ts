/** The audit trail: each act of an operator is an entry of the space, written before the act and again with its outcome. */
import { userInfo } from 'node:os'
import { wallMs } from '../clock.js'
import { templateOf } from '../entry/template.js'
import type { Space } from '../space.js'
import { hostName } from './host-name.js'
import { Audit, type AuditFields } from './kinds.js'

const KEPT_MS = 30 * 86_400_000
/** The oldest are dropped beyond this number. */
const MOST_AUDITED = 2_000
/** The most entries that one act drops: several processes may write at a time. */
const DROPPED_AT_ONCE = 10
const LONGEST_TEXT = 200

/** The actor of an act and its object. */
export type AuditedAct = Pick<AuditFields, 'by' | 'from' | 'act' | 'target' | 'count'>

/** Returns who acts when a command runs. */
export const commandOperator = (): Pick<AuditFields, 'by' | 'from'> => ({
  by: userInfo().username,
  from: `command on ${hostName()}`,
})

/**
 * Records an act, does it, and records its outcome.
 *
 * @param most acts that are kept
 * @throws the error of the act; SpaceError as space.write: then the act was not done
 */
export async function audited<T>(
  space: Space,
  what: AuditedAct,
  act: () => Promise<T>,
  most = MOST_AUDITED,
): Promise<T> {
  const { by, from, act: name, target, count } = what
  const cut = (text: string): string => text.slice(0, LONGEST_TEXT).toWellFormed()
  const fields = {
    id: space.newId(),
    at: wallMs(),
    by: cut(by),
    from: cut(from),
    act: name,
    target: cut(target),
    count,
  }
  const write = (outcome: string) => space.write(Audit({ ...fields, outcome: cut(outcome) }), { leaseMs: KEPT_MS })
  const begun = await write('begun')
  // The record of the outcome comes first: readers that meet both take it.
  const end = async (outcome: string): Promise<void> => {
    await write(outcome)
    await begun.cancel()
    await dropOldest(space, most)
  }
  try {
    const result = await act()
    await end('done').catch(() => {})
    return result
  } catch (error) {
    await end(error instanceof Error ? error.message : String(error)).catch(() => {})
    throw error
  }
}

async function dropOldest(space: Space, most: number): Promise<void> {
  const { count } = await space.engine.backlog(templateOf(Audit).encoded)
  for (let left = Math.min(count - most, DROPPED_AT_ONCE); left > 0; left--) await space.takeIfExists(Audit)
}

/** Returns the acts, newest first. */
export async function auditTrail(space: Space): Promise<AuditFields[]> {
  const byId = new Map<string, AuditFields>()
  for await (const each of space.contents(Audit, { max: 2 * MOST_AUDITED })) {
    if (each.outcome !== 'begun' || !byId.has(each.id)) byId.set(each.id, each)
  }
  // Those of one millisecond are in the order in which they were written.
  return [...byId.values()].reverse().sort((a, b) => b.at - a.at)
}
