/** What the compiler promises to users: this file is checked by `tsc -p test/tsconfig.json`, and never run. */
import { z } from 'zod'
import {
  AnyEntry,
  createClient,
  defineEntry,
  type Entry,
  entryInfo,
  type Lease,
  type Space,
  type SpaceError,
} from '../../src/index.js'
import { createWorker, giveUp, retryIn, type TaskContext } from '../../workers/index.js'

/** Compiles only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <_T extends true>(): void => {}

const Task = defineEntry<{ id: string; type?: string; size?: number; note?: string | null }>('Task')
type TaskEntry = Entry<{ id: string; type?: string; size?: number; note?: string | null }>

export async function waiting(space: Space, signal: AbortSignal): Promise<void> {
  // A wait without an end ends with an entry.
  is<Same<Awaited<ReturnType<typeof space.take<{ id: string }>>>, Entry<{ id: string }>>>()
  const taken = await space.take(Task)
  is<Same<typeof taken, TaskEntry>>()
  const signalled = await space.take(Task.template({ type: 'resize' }), { signal })
  is<Same<typeof signalled, TaskEntry>>()
  const read = await space.read(Task)
  is<Same<typeof read, TaskEntry>>()

  // With waitMs it may end without one.
  const soon = await space.take(Task, { waitMs: 5_000 })
  is<Same<typeof soon, TaskEntry | null>>()
  // @ts-expect-error: it may be null
  soon.id
  const there = await space.read(Task, { waitMs: 0, signal })
  is<Same<typeof there, TaskEntry | null>>()
  const exists = await space.takeIfExists(Task.template({ id: 't1' }))
  is<Same<typeof exists, TaskEntry | null>>()
  const readable = await space.readIfExists(Task)
  is<Same<typeof readable, TaskEntry | null>>()

  // An entry is plain properties that nobody changes.
  const id: string = taken.id
  // @ts-expect-error: read-only
  taken.id = id
  is<Same<ReturnType<typeof entryInfo>['writtenAt'], number>>()
  entryInfo(taken)
}

export const indexing = [
  defineEntry<{ id: string; type: string }>('Indexed', { index: ['id', ['id', 'type']] }),
  // @ts-expect-error: no such field
  defineEntry<{ id: string; type: string }>('Indexed', { index: ['id', ['id', 'size']] }),
  // @ts-expect-error: one field is no list
  defineEntry<{ id: string; type: string }>('Indexed', { index: [['id']] }),
  defineEntry('Indexed', { schema: z.object({ id: z.string(), type: z.string() }), index: [['type', 'id']] }),
]

export async function writing(space: Space): Promise<void> {
  const lease = await space.write(Task({ id: 't1' }), { leaseMs: 30_000, priority: 1 })
  is<Same<typeof lease.expiresAt, number>>()
  await lease.renew(Number.POSITIVE_INFINITY)
  const leases = await space.writeAll([Task({ id: 't1' }), Task({ id: 't2' })], { leaseMs: [1, 2] })
  is<Same<typeof leases, (typeof lease)[]>>()
  // @ts-expect-error: one lease cannot have a list
  await space.write(Task({ id: 't1' }), { leaseMs: [1] })
  // @ts-expect-error: a field is missing
  Task({ type: 'resize' })
  // @ts-expect-error: no such option
  await space.write(Task({ id: 't1' }), { lease: 1 })
}

export function templates(): void {
  Task.template({})
  Task.template({ id: 't1', note: null })
  Task.template({ id: undefined, size: 3 })
  // @ts-expect-error: another type
  Task.template({ size: '3' })
  // @ts-expect-error: no such field
  Task.template({ colour: 'red' })
  AnyEntry.template({ anything: 1 })
}

export async function kinds(space: Space): Promise<void> {
  const BigTask = Task.extend<{ shards: number }>('BigTask')
  BigTask({ id: 't1', shards: 3 })
  BigTask.template({ type: 'resize', shards: 3 })
  // @ts-expect-error: its own field is missing
  BigTask({ id: 't1' })
  // A field may be declared again with the same type or a narrower one.
  Task.extend<{ type: 'resize' }>('ResizeTask')
  // @ts-expect-error: id is a text
  Task.extend<{ id: number }>('NumberedTask')
  // @ts-expect-error: an index is over fields that there are
  Task.extend<{ shards: number }>('IndexedTask', { index: ['colour'] })
  defineEntry<{ id: string; size: number }>('Order', { index: ['id'] })

  const entry: unknown = await space.read(AnyEntry)
  if (BigTask.is(entry)) is<Same<typeof entry.shards, number>>()
  // @ts-expect-error: AnyEntry knows no types
  const text: string = (await space.read(AnyEntry)).id
  return void text
}

export async function schemas(space: Space): Promise<void> {
  const Order = defineEntry('Order', {
    schema: z.object({ id: z.string(), size: z.coerce.number<string>(), tags: z.array(z.string()).default([]) }),
    index: ['id'],
  })
  // The input is written …
  await space.write(Order({ id: 'o', size: '5' }))
  // @ts-expect-error: the schema wants a text to make a number of
  Order({ id: 'o', size: 5 })
  // @ts-expect-error: a field is missing
  Order({ size: '5' })
  // … and the output is what is asked for and read.
  const order = await space.take(Order.template({ size: 5 }))
  is<Same<typeof order, Entry<{ id: string; size: number; tags: string[] }>>>()
  const read = await space.read(Order, { waitMs: 5 })
  is<Same<typeof read, Entry<{ id: string; size: number; tags: string[] }> | null>>()
  // @ts-expect-error: no such field
  Order.template({ colour: 'red' })
  // @ts-expect-error: an index is over fields that there are
  defineEntry('Order', { schema: z.object({ id: z.string() }), index: ['colour'] })
  // @ts-expect-error: entries have fields
  defineEntry('Text', { schema: z.string() })

  const Noted = Order.extend<{ note: string }>('NotedOrder')
  Noted({ id: 'o', size: '5', note: 'n' })
  is<Same<Awaited<ReturnType<typeof takeNoted>>['note'], string>>()
  async function takeNoted() {
    return space.take(Noted.template({ note: 'n', size: 5 }))
  }
  const Big = Task.extend('BigTask', { schema: z.object({ id: z.string(), shards: z.number() }), index: ['shards'] })
  Big({ id: 'b', shards: 3 })
  const shards: number = (await space.take(Big)).shards
  // @ts-expect-error: id is a text
  Task.extend('NumberedTask', { schema: z.object({ id: z.number() }) })
  return void shards
}

export async function together(space: Space, lease: Lease): Promise<void> {
  const Other = defineEntry<{ other: boolean }>('Other')
  const tasks = await space.takeAll([Task, Task.template({ type: 'x' })], { max: 5, waitMs: 5 })
  is<Same<typeof tasks, TaskEntry[]>>()
  const mixed = await space.takeAll([Task, Other.template({})])
  is<Same<(typeof mixed)[number], TaskEntry | Entry<{ other: boolean }>>>()
  // @ts-expect-error: no such option
  await space.takeAll([Task], { maximum: 5 })

  await space.write(space.snapshot(Task({ id: 't1' })))
  const snapped = await space.take(space.snapshot(Task.template({ type: 'resize' })))
  is<Same<typeof snapped, TaskEntry>>()

  const keep = space.keepAlive([lease], {
    untilMs: 5,
    onLost(lost, error) {
      is<Same<typeof lost, Lease>>()
      is<Same<typeof error, SpaceError>>()
    },
  })
  keep.add(lease)
  keep.remove(lease)
  keep.stop()
  for (const { lease: failed, error } of await space.renewAll([lease], [5])) {
    is<Same<typeof failed, Lease>>()
    is<Same<typeof error, SpaceError>>()
  }
  const inMs: number = lease.expiresInMs
  return void inMs
}

export async function calling(space: Space): Promise<void> {
  const tasks = {
    resize: async (input: { width: number }, _context: TaskContext) => ({ ok: input.width > 0 }),
    fetch: async (url: string) => (url === '' ? giveUp('no address') : url.length > 9 ? retryIn(5) : url.length),
  }
  createWorker({ space, tasks })
  const client = createClient<typeof tasks>({ space })
  const resized = await client.call('resize', { width: 3 }, { timeoutMs: 5 })
  is<Same<typeof resized, { ok: boolean }>>()
  const fetched = await client.call('fetch', 'x')
  is<Same<typeof fetched, number>>()
  // @ts-expect-error: no such task
  await client.call('risize', { width: 3 })
  // @ts-expect-error: not what it takes
  await client.call('resize', { widht: 3 })
  // Without the type of the tasks anything may be called.
  await createClient({ space }).call('anything', { at: 'all' })
}
