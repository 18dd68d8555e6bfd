/** Types of readAll, contents, watch and batches: checked by `tsc -p test/tsconfig.json`, and never run. */
import {
  AnyEntry,
  type Contents,
  defineEntry,
  type Entry,
  entryInfo,
  type Matching,
  type Space,
  type SpaceEvent,
} from '../../src/index.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <_T extends true>(): void => {}

interface TaskFields {
  id: string
  due: number
  state: 'open' | 'done'
}
const Task = defineEntry<TaskFields>('Task')
const Other = defineEntry<{ name: string }>('Other')
const Labelled = defineEntry<{ id: string; remove: string }>('Labelled')
const Loose = defineEntry('Loose')

export async function readingAll(space: Space): Promise<void> {
  const tasks = await space.readAll([Task], { max: 5, waitMs: 0 })
  is<Same<typeof tasks, Entry<TaskFields>[]>>()
  const several = await space.readAll([Task, Other])
  for (const each of several) if ('name' in each) is<Same<typeof each.name, string>>()
  // @ts-expect-error: nothing to read
  await space.readAll([])
  // @ts-expect-error: a list of templates
  await space.readAll(Task)
}

export async function contents(space: Space, kept: Entry<TaskFields>[]): Promise<string | null> {
  const all = space.contents(Task)
  for await (const task of all) {
    is<Same<typeof task.id, string>>()
    const removed: boolean = await task.remove()
    const again: boolean = await all.remove(task)
    entryInfo(task)
    await space.write(task)
    kept.push(task)
    void [removed, again]
    // @ts-expect-error: no such field
    void task.name
  }
  for await (const task of space.contents(Task.template({ state: 'done' }), {
    max: 5,
    after: all.cursor ?? undefined,
  })) {
    is<Same<typeof task.state, 'done'>>()
    await task.remove()
  }
  for await (const each of space.contents([Task, Other])) {
    await each.remove()
    if ('name' in each) is<Same<typeof each.name, string>>()
  }
  for await (const each of space.contents(AnyEntry)) {
    is<Same<typeof each.anything, unknown>>()
    await each.remove()
  }
  for await (const each of space.contents([AnyEntry, Task])) await each.remove()
  for await (const each of space.contents(Loose)) await each.remove()
  for await (const each of space.contents(Labelled)) is<Same<typeof each.remove, string>>()
  // A generator, as it was.
  const generator: AsyncGenerator<Entry<TaskFields>> = space.contents(Task)
  await generator.return(undefined)
  // @ts-expect-error: nothing to list
  void space.contents([])
  return all.cursor
}

export async function projected(space: Space): Promise<void> {
  for await (const part of space.contents(Task, { fields: ['id', 'due'] })) {
    is<Same<typeof part.id, string>>()
    is<Same<typeof part.due, number>>()
    entryInfo(part)
    await part.remove()
    // @ts-expect-error: not asked for
    void part.state
    // @ts-expect-error: a part of an entry cannot be written
    await space.write(part)
  }
  for await (const part of space.contents([Task, Other], { fields: ['id', 'name'] })) {
    if ('name' in part) is<Same<typeof part.name, string>>()
  }
  for await (const { id } of space.contents(AnyEntry, { fields: ['id'] })) is<Same<typeof id, unknown>>()
  // @ts-expect-error: no such field
  void space.contents(Task, { fields: ['name'] })
}

/** Programs of any kind. */
export async function firstOf<F extends object>(space: Space, template: Matching<F>): Promise<Entry<F> | undefined> {
  const entries: Contents<Entry<F>> | AsyncIterable<Entry<F>> = space.contents(template)
  for await (const entry of entries) return entry
  return undefined
}

export async function watching(space: Space, signal: AbortSignal): Promise<void> {
  for await (const event of space.watch(Task, { on: 'visible', signal, max: 10 })) {
    if (event.entry) is<Same<typeof event.entry, Entry<TaskFields>>>()
    else is<Same<typeof event.missed, number>>()
  }
  for await (const { entry, missed, sequence } of space.watch([Task, Other])) {
    is<Same<typeof sequence, number>>()
    is<Same<typeof missed, number | undefined>>()
    if (entry && 'due' in entry) is<Same<typeof entry.due, number>>()
  }
  for await (const batch of space.watch(Task, { maxBatch: 5, maxWaitMs: 100 })) {
    for (const { entry } of batch) if (entry) is<Same<typeof entry.id, string>>()
  }
  const watch = space.watch(AnyEntry)
  await watch.ready
  await watch.return()
  // @ts-expect-error: nothing to watch
  void space.watch([])
  // @ts-expect-error: batches have a size
  void space.watch(Task, { maxWaitMs: 5 })
}

export async function batches(space: Space): Promise<void> {
  await space.notify([Task], (event) => is<Same<typeof event, SpaceEvent<TaskFields>>>(), { on: 'written' })
  await space.notify([Task], (events) => is<Same<typeof events, readonly SpaceEvent<TaskFields>[]>>(), { maxBatch: 9 })
  await space.notify([Task, Other], (events) => void events.length, { maxBatch: 9, maxWaitMs: 10 })
  // @ts-expect-error: batches have a size
  await space.notify([Task], () => {}, { maxWaitMs: 10 })
}
