/** What the compiler promises to users: this file is checked by `tsc -p test/tsconfig.json`, and never run. */
import { z } from 'zod'
import {
  AnyEntry,
  createClient,
  defineEntry,
  type Entry,
  entryInfo,
  type FindOptions,
  type Lease,
  type Space,
  type SpaceError,
} from '../../src/index.js'
import { type App, createWorker, giveUp, retryIn, type TaskContext } from '../../workers/index.js'

/** Compiles only if both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <_T extends true>(): void => {}

const Task = defineEntry<{ id: string; type?: string; size?: number; note?: string | null }>('Task')
type TaskEntry = Entry<{ id: string; type?: string; size?: number; note?: string | null }>

export async function waiting(space: Space, signal: AbortSignal): Promise<void> {
  // A wait without an end ends with an entry.
  const taken = await space.take(Task)
  is<Same<typeof taken, TaskEntry>>()
  const signalled = await space.take(Task.template({ id: 't1', type: undefined }), { signal })
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
  const options: FindOptions = { signal }
  const perhaps = await space.take(Task, options)
  is<Same<typeof perhaps, TaskEntry | null>>()
  const maybe = await space.read(Task, options)
  is<Same<typeof maybe, TaskEntry | null>>()
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

/** Only what a kind made, or a space handed out, can be written. */
export async function written(space: Space): Promise<void> {
  const task = await space.take(Task)
  await space.write(task)
  await space.writeAll([task, Task({ id: 't1' }), space.snapshot(task)])
  const tasks: Entry<{ id: string }>[] = [task]
  await space.writeAll(tasks)
  const any = await space.read(AnyEntry)
  await space.write(any)
  if (Task.is(any)) await space.write(any)

  const fields = { id: 't1' }
  // @ts-expect-error: not made by a kind
  await space.write({ id: 't1' })
  // @ts-expect-error: not made by a kind
  await space.write(fields)
  // @ts-expect-error: a copy is not the entry
  await space.write({ ...task })
  // @ts-expect-error: not made by a kind
  await space.write(fields as Record<string, unknown>)
  // @ts-expect-error: no fields at all
  await space.write({})
  // @ts-expect-error: a kind makes entries, and is none
  await space.write(Task)
  // @ts-expect-error: a template
  await space.write(Task.template({ id: 't1' }))
  // @ts-expect-error: one of them was not made by a kind
  await space.writeAll([task, fields])
  // @ts-expect-error: nothing to write
  await space.writeAll([])
  // @ts-expect-error: not made by a kind
  space.snapshot(fields)
  // @ts-expect-error: not handed out by a space
  entryInfo(fields)
  // @ts-expect-error: made by no kind
  AnyEntry({ id: 't1' })
  // @ts-expect-error: every kind cannot be extended
  AnyEntry.extend('More')
  // @ts-expect-error: not of every kind
  void space.count(AnyEntry)
  // @ts-expect-error: not of every kind
  void space.count(AnyEntry.template({ id: 't1' }))
  // @ts-expect-error: plain fields are no template
  await space.take({ type: 'resize' })
  // @ts-expect-error: nothing to wait for
  await space.takeAll([])
  // @ts-expect-error: nothing to be told of
  await space.notify([], () => {})
}

interface Tree {
  readonly name: string
  readonly children: Tree[]
  readonly at: Date
  readonly bytes?: Uint8Array
  readonly meta: { readonly big: bigint; readonly note: string | null }
  readonly extra: unknown
}

/** Fields are values that an entry can hold. */
export const values = [
  defineEntry<Tree>('Tree'),
  // @ts-expect-error: a function
  defineEntry<{ run: () => void }>('Functions'),
  // @ts-expect-error: a Map
  defineEntry<{ by: Map<string, number> }>('Maps'),
  // @ts-expect-error: a symbol
  defineEntry<{ by: symbol }>('Symbols'),
  // @ts-expect-error: a URL has methods
  defineEntry<{ list: { at: URL }[] }>('Urls'),
  // @ts-expect-error: a function
  Task.extend<{ run: () => void }>('FunctionTask'),
]

/** A kind without a type takes any fields. */
export async function untyped(space: Space): Promise<void> {
  const Loose = defineEntry('Loose')
  await space.write(Loose({ id: 1, type: 'resize' }))
  const taken = await space.take(Loose.template({ type: 'resize' }))
  const id: number = taken.id
  const Looser = Loose.extend('Looser')
  await space.write(Looser({ id, anything: true }))
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
  const tasks = await space.takeAll([Task, Task.template({ id: 't1' })], { max: 5, waitMs: 5 })
  is<Same<typeof tasks, TaskEntry[]>>()
  const mixed = await space.takeAll([Task, Other.template({})])
  is<Same<(typeof mixed)[number], TaskEntry | Entry<{ other: boolean }>>>()
  // @ts-expect-error: no such option
  await space.takeAll([Task], { maximum: 5 })

  await space.write(space.snapshot(Task({ id: 't1' })))
  const snapped = await space.take(space.snapshot(Task.template({ id: 't1' })))
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
  await createClient({ space }).call('anything')
}

export async function callingWithoutInput(space: Space): Promise<void> {
  const tasks = {
    ping: async () => 'pong',
    greet: (name?: string) => `hello ${name}`,
    report: async (days: number | undefined, { attempt }: TaskContext) => attempt + (days ?? 1),
    resize: async ({ width }: { width: number }) => width,
  }
  createWorker({ space, tasks })
  const client = createClient<typeof tasks>({ space })
  const pong = await client.call('ping')
  is<Same<typeof pong, string>>()
  await client.call('ping', undefined, { timeoutMs: 5 })
  await client.call('greet')
  await client.call('greet', 'ann')
  await client.call('report')
  await client.enqueue('ping')
  await client.enqueue('ping', undefined, { attempts: 2 })
  await client.schedule('nightly', { cron: '0 3 * * *' }, 'ping')
  await client.schedule('hourly', { everyMs: 3_600_000 }, 'resize', { width: 3 }, { attempts: 2 })
  // @ts-expect-error: its input is missing
  await client.call('resize')
  // @ts-expect-error: its input is missing
  await client.enqueue('resize')
  // @ts-expect-error: its input is missing
  await client.schedule('hourly', { everyMs: 3_600_000 }, 'resize')
  // @ts-expect-error: it takes none
  await client.call('ping', { width: 3 })
  // @ts-expect-error: no such option
  await client.call('ping', undefined, { timeout: 5 })
  // @ts-expect-error: due at one time
  await client.enqueue('ping', undefined, { delayMs: 5, at: new Date() })
  // @ts-expect-error: never due
  await client.schedule('never', {}, 'ping')
}

export function workers(space: Space, app: App, loaded: { app: App | undefined; tasks: undefined }): void {
  createWorker({ space, app })
  createWorker({ space, tasks: { ping: () => 'pong' } })
  createWorker({ space, app, tasks: { ping: () => 'pong' }, concurrency: 3 })
  createWorker({ space, ...loaded })
  // @ts-expect-error: neither an app nor tasks
  createWorker({ space })
  // @ts-expect-error: neither an app nor tasks
  createWorker({ space, concurrency: 3 })
  // @ts-expect-error: no space
  createWorker({ app })
  // @ts-expect-error: no such option
  createWorker({ space, app, processes: 4 })
  // @ts-expect-error: no app
  createWorker({ space, app: {} })
  // @ts-expect-error: tasks are functions
  createWorker({ space, tasks: { ping: 'pong' } })
}

export async function fetching(space: Space): Promise<void> {
  const client = createClient({ space })
  const response = await client.fetch('/orders', { method: 'POST', body: '{}', priority: 5, timeoutMs: 5 })
  is<Same<typeof response, Response>>()
  // @ts-expect-error: a priority is a number
  await client.fetch('/orders', { priority: 'high' })
}
