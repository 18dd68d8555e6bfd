/** What the compiler promises of templates with conditions: this file is checked by `tsc -p test/tsconfig.json`, and never run. */
import {
  absent,
  between,
  defineEntry,
  type Entry,
  gt,
  lte,
  not,
  oneOf,
  ordered,
  present,
  type Space,
  startsWith,
} from '../../src/index.js'

/** Compiles only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <_T extends true>(): void => {}

type Job = {
  id: string
  state: 'open' | 'held' | 'done'
  due?: number
  by?: Date
  owner?: string | null
  tags: string[]
}
const Job = defineEntry<Job>('Job')

/** A template narrows the type of its matches by what it says of their fields. */
export async function narrowing(space: Space, state: Job['state'], owner: string | undefined): Promise<void> {
  const open = await space.take(Job.template({ state: 'open', due: lte(5), owner: absent() }))
  is<Same<typeof open.state, 'open'>>()
  is<Same<typeof open.due, number>>()
  is<Same<typeof open.owner, undefined>>()
  is<Same<typeof open.by, Date | undefined>>()
  const some = await space.take(Job.template({ state: oneOf('open', 'held'), owner: present(), by: gt(new Date(0)) }))
  is<Same<typeof some.state, 'open' | 'held'>>()
  is<Same<typeof some.owner, string | null>>()
  is<Same<typeof some.by, Date>>()
  const owned = await space.take(Job.template({ owner: startsWith('team-'), due: between(1, 2) }))
  is<Same<typeof owned.owner, string>>()
  is<Same<typeof owned.due, number>>()
  // An open type stays open, and what may be undefined tells nothing.
  const named = await space.take(Job.template({ id: 'j1', due: 5, state, tags: ['a'] }))
  is<Same<typeof named.id, string>>()
  is<Same<typeof named.due, number>>()
  is<Same<typeof named.state, Job['state']>>()
  const perhaps = await space.take(Job.template({ owner, state: not('done'), due: not(gt(5)) }))
  is<Same<typeof perhaps, Entry<Job>>>()
  // A match is an entry of the kind, and is written again.
  const any: Entry<Job> = open
  await space.write(any)
  await space.write(some)
  for await (const each of space.contents(Job.template({ state: 'done' }))) is<Same<typeof each.state, 'done'>>()
  const all = await space.takeAll([Job.template({ state: 'done' }), Job.template({ state: 'held' })])
  is<Same<(typeof all)[number]['state'], 'done' | 'held'>>()
  type Shape = { kind: 'circle'; radius: number } | { kind: 'square'; side: number }
  const circle = await space.take(defineEntry<Shape>('Shape').template({ kind: 'circle' }))
  is<Same<typeof circle.radius, number>>()
}

/** An ordered field is one of the kind. */
export const ordering = [
  defineEntry<Job>('Job', { index: ['id', ordered('due'), ['id', 'state']] }),
  // @ts-expect-error: no such field
  defineEntry<Job>('Job', { index: ['id', ordered('dew')] }),
]

/** Conditions are of the type of their field. */
export const conditions = [
  // @ts-expect-error: a text is no number
  Job.template({ due: gt('a') }),
  // @ts-expect-error: a Date is no number
  Job.template({ due: lte(new Date(0)) }),
  // @ts-expect-error: no such state
  Job.template({ state: oneOf('open', 'lost') }),
  // @ts-expect-error: no such state
  Job.template({ state: not('lost') }),
  // @ts-expect-error: a number begins with no text
  Job.template({ due: startsWith('1') }),
  // @ts-expect-error: no such field
  Job.template({ state: 'open', dew: lte(5) }),
  // @ts-expect-error: booleans have no order
  gt(true),
  // @ts-expect-error: two types
  between(1, 'a'),
  // @ts-expect-error: a condition is no value of an entry
  Job({ id: 'j1', state: 'open', due: lte(5), tags: [] }),
]

/** An update takes and returns the fields of the kind, whatever its template says of them. */
export async function updating(space: Space, id: string): Promise<void> {
  type Counted = { name: string; count: number; big?: bigint; tags?: string[]; state: 'new' | 'done' }
  const Counted = defineEntry<Counted>('Counted')
  const asNew = Counted.template({ state: 'new', big: absent() })
  const done = await space.update(asNew, { set: { state: 'done', big: 1n }, unset: ['tags'], increment: { count: 1 } })
  is<Same<typeof done, Entry<Counted>>>()
  const within = await space.update(
    Counted,
    { append: { tags: 'x' }, increment: { big: 1n } },
    { waitMs: 5, if: { count: 3 } },
  )
  is<Same<typeof within, Entry<Counted> | null>>()
  const byId = await space.update(id, { set: { anything: 1 }, increment: { count: 1n }, append: { tags: ['a', 1] } })
  is<Same<typeof byId, Entry | null>>()
  // @ts-expect-error: no such state
  await space.update(Counted, { set: { state: 'old' } })
  // @ts-expect-error: a field that every entry has
  await space.update(Counted, { unset: ['count'] })
  // @ts-expect-error: a text is no number
  await space.update(Counted, { increment: { name: 1 } })
  // @ts-expect-error: a number is no bigint
  await space.update(Counted, { increment: { big: 1 } })
  // @ts-expect-error: a number is no list
  await space.update(Counted, { append: { count: 1 } })
  // @ts-expect-error: without a wait
  await space.update(id, { set: { a: 1 } }, { waitMs: 1 })
}
