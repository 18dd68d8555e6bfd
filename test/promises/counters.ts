/** Counters: the entries that the tests of updates change, and registrations for them. */
import { ordered } from '../../src/entry/ordered.js'
import type { Template } from '../../src/entry/template.js'
import { defineEntry } from '../../src/entry.js'
import type { NotifyOptions } from '../../src/space/notify.js'
import type { Space } from '../../src/space.js'
import { until } from '../support/until.js'

type Counted = { id: string; count?: number; big?: bigint; tags?: string[]; note?: string | null; state?: string }
export const Counter = defineEntry<Counted>('Counter', { index: ['id', 'state', ['id', 'state'], ordered('count')] })
/** A kind of which nothing is ever written. */
export const Nothing = defineEntry('Nothing')
/** A text that Redis stores beside its entry. */
export const LARGE = 'x'.repeat(5_000)

export const by = (id: string) => Counter.template({ id })

/** Registers at `space`; the returned function waits for so many events, and returns the counts of their entries. */
export async function told(
  { space, other }: { readonly space: Space; readonly other: Space },
  options: NotifyOptions,
  template: Template<Counted> = Counter.template({}),
): Promise<(count: number) => Promise<unknown[]>> {
  const seen: unknown[] = []
  await other.notify([template], ({ entry }) => void seen.push(entry.count), options)
  return async (count) => {
    await until(() => seen.length >= count, `${count} events`)
    // An event too many would come before this.
    for (const each of [space, other]) await each.readIfExists(Nothing)
    return seen
  }
}
