/** What notify promises: one event for each change that was asked for, numbered without a gap, and none for what nobody saw. */
import { expect, test } from '@jest/globals'
import { AnyEntry, entryInfo } from '../../src/entry.js'
import type { NotifyOptions, Registration, SpaceEvent } from '../../src/space/notify.js'
import type { Space } from '../../src/space.js'
import { everyEngine } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

type Seen = SpaceEvent<{ id: string }>

interface Told {
  readonly events: Seen[]
  readonly registration: Registration
  /** The ids of all events so far, once `n` have come and nothing more is on its way. */
  ids(n: number): Promise<string[]>
}

async function told(space: Space, options: NotifyOptions = {}, template = Task.template({})): Promise<Told> {
  const events: Seen[] = []
  const registration = await space.notify([template], (event) => void events.push(event), options)
  return {
    events,
    registration,
    async ids(n) {
      await until(() => events.length >= n, `${n} events`)
      // What was announced before this is answered arrives before the answer.
      for (let i = 0; i < 3; i++) await space.readIfExists(Other)
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => registration.sequence + 1 + i))
      return events.map(({ entry }) => entry.id)
    },
  }
}

everyEngine('events', (opened) => {
  test('each write of a match is one event, in order, numbered from that of the registration', async () => {
    const { space, other } = opened()
    const seen = await told(space)
    await other.write(Task({ id: 'a' }))
    await other.writeAll([
      BigTask({ id: 'b', shards: 1 }),
      Other({ id: 'o' }),
      Task({ id: 'c', note: 'n'.repeat(5_000) }),
    ])
    await space.write(Task({ id: 'd' }))
    expect(await seen.ids(4)).toEqual(['a', 'b', 'c', 'd'])
    expect(seen.events[2]!.entry).toEqual({ id: 'c', note: 'n'.repeat(5_000) })
    expect(entryInfo(seen.events[1]!.entry)).toMatchObject({ kind: 'BigTask' })
    // They are still there.
    expect(await space.takeAll([Task], { waitMs: 0 })).toHaveLength(4)
  })

  test('a template picks; one event however many templates match', async () => {
    const { space, other } = opened()
    const seen: string[] = []
    const templates = [
      Task.template({ type: 'x' }),
      BigTask.template({ shards: 2 }),
      Task.template({ id: 'b' }),
      AnyEntry,
    ]
    await space.notify(templates.slice(0, 3), ({ entry }) => void seen.push(String(entry.id)))
    const all: unknown[] = []
    await space.notify(templates, ({ entry }) => void all.push(entry))
    await other.write(Task({ id: 'a', type: 'y' }))
    await other.write(BigTask({ id: 'b', type: 'x', shards: 2 }))
    await other.write(Task({ id: 'c', type: 'x' }))
    await other.write(Other({ id: 'd' }))
    await until(() => all.length === 4, 'all events')
    expect(seen).toEqual(['b', 'c'])
  })

  test('an entry that goes to a waiting taker at once is an event all the same', async () => {
    const { space, other } = opened()
    const written = await told(space)
    const available = await told(space, { on: 'available' })
    const taking = other.take(Task)
    await space.write(Task({ id: 'a' }))
    expect(await taking).toEqual({ id: 'a' })
    expect(await written.ids(1)).toEqual(['a'])
    expect(await available.ids(1)).toEqual(['a'])
  })

  test('what is written under a transaction is an event when it commits, and none when it aborts or was taken inside', async () => {
    const { space, other } = opened()
    const seen = await told(space)
    const tx = await other.begin()
    await other.write(Task({ id: 'a' }), { tx })
    await other.write(Task({ id: 'b' }), { tx })
    await other.take(Task.template({ id: 'b' }), { tx })
    expect(await seen.ids(0)).toEqual([])
    await tx.commit()
    expect(await seen.ids(1)).toEqual(['a'])
    const aborted = await other.begin()
    await other.write(Task({ id: 'c' }), { tx: aborted })
    await aborted.abort()
    expect(await seen.ids(1)).toEqual(['a'])
  })

  test('written: not what an abort brings back; visible and available: that too; the release of a last read lock: available only', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const written = await told(space)
    const visible = await told(space, { on: 'visible' })
    const available = await told(space, { on: 'available' })
    const take = await other.begin()
    await other.take(Task, { tx: take })
    await take.abort()
    expect(await visible.ids(1)).toEqual(['a'])
    expect(await available.ids(1)).toEqual(['a'])
    const one = await other.begin()
    const two = await space.begin()
    await other.read(Task, { tx: one })
    await space.read(Task, { tx: two })
    await one.commit()
    expect(await available.ids(1)).toEqual(['a'])
    await two.abort()
    expect(await available.ids(2)).toEqual(['a', 'a'])
    expect(await visible.ids(1)).toEqual(['a'])
    expect(await written.ids(0)).toEqual([])
  })

  test('under a transaction it tells of writes inside at once, of writes outside, and ends with it', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    const foreign = await other.begin()
    const ended: string[] = []
    const inside = await told(space, { tx, onEnded: () => void ended.push('inside') })
    const outside = await told(space)
    await space.write(Task({ id: 'in' }), { tx })
    await other.write(Task({ id: 'hidden' }), { tx: foreign })
    await other.write(Task({ id: 'out' }))
    expect(await inside.ids(2)).toEqual(['in', 'out'])
    expect(await outside.ids(1)).toEqual(['out'])
    await tx.commit()
    expect(await outside.ids(2)).toEqual(['out', 'in'])
    await other.write(Task({ id: 'after' }))
    expect(await outside.ids(3)).toEqual(['out', 'in', 'after'])
    expect(await inside.ids(2)).toEqual(['in', 'out'])
    await expect(inside.registration.lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    expect(ended).toEqual(['inside'])
    await foreign.abort()
  })

  test('it lasts as long as its lease, which can be renewed and cancelled', async () => {
    const { space, other } = opened()
    const short = await told(space, { leaseMs: 100 })
    const kept = await told(space, { leaseMs: 100 })
    const gone = await told(space)
    await kept.registration.lease.renew(60_000)
    await gone.registration.cancel()
    await gone.registration.cancel()
    const later = performance.now() + 150
    await until(() => performance.now() > later, 'the lease to end')
    await other.write(Task({ id: 'a' }))
    expect(await kept.ids(1)).toEqual(['a'])
    expect(await short.ids(0)).toEqual([])
    expect(await gone.ids(0)).toEqual([])
    await expect(short.registration.lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  })

  test('a registration is told that its lease has ended, once; one that was cancelled is not', async () => {
    const { space, other } = opened()
    const ended: string[] = []
    const short = await told(space, { leaseMs: 50, onEnded: () => void ended.push('short') })
    const renewed = await told(space, { leaseMs: 50, onEnded: () => void ended.push('renewed') })
    await renewed.registration.lease.renew(150)
    const cancelled = await told(space, { leaseMs: 100, onEnded: () => void ended.push('cancelled') })
    await cancelled.registration.cancel()
    const kept = await told(space, { onEnded: () => void ended.push('kept') })
    await until(() => ended.length === 2, 'two of them to be told')
    expect(ended).toEqual(['short', 'renewed'])
    await other.write(Task({ id: 'a' }))
    expect(await kept.ids(1)).toEqual(['a'])
    expect(await short.ids(0)).toEqual([])
    expect(ended).toEqual(['short', 'renewed'])
  })

  test('a lease of 0 is refused for what becomes visible or available (JavaSpace05)', async () => {
    const { space } = opened()
    for (const on of ['visible', 'available'] as const) {
      const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining(on) }
      await expect(space.notify([Task], () => {}, { on, leaseMs: 0 })).rejects.toMatchObject(refused)
    }
    const ended = new Promise<void>((resolve) => {
      void space.notify([Task], () => {}, { leaseMs: 0, onEnded: resolve })
    })
    await ended
  })

  test('a slow listener holds up nobody but itself; one that throws is reported and keeps its registration, unless it asked otherwise', async () => {
    const { space, other } = opened()
    let release = (): void => {}
    const slow: string[] = []
    await space.notify([Task], async ({ entry }) => {
      slow.push(entry.id)
      await new Promise<void>((resolve) => {
        release = resolve
      })
    })
    const errors: unknown[] = []
    let calls = 0
    const fail = (): never => {
      calls++
      throw new RangeError('mine')
    }
    await space.notify([Task], fail, { onError: (error) => void errors.push(error) })
    let last = 0
    const once = await space.notify([Task], () => Promise.reject(new Error(`${++last}`)), { cancelOnError: true })
    const quick = await told(space)
    for (const id of ['a', 'b', 'c']) await other.write(Task({ id }))
    expect(await quick.ids(3)).toEqual(['a', 'b', 'c'])
    await until(() => calls === 3, 'the failing one to have been called')
    expect(errors).toHaveLength(3)
    expect(last).toBe(1)
    await expect(once.lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    expect(slow).toEqual(['a'])
    release()
    await until(() => slow.length === 2, 'the slow one to go on')
    release()
  })

  test('what is dead on arrival is no event and goes to nobody', async () => {
    const { space, other } = opened()
    const seen = await told(space)
    const taking = other.take(Task)
    for (let i = 0; i < 3; i++) await other.readIfExists(Other)
    await other.write(Task({ id: 'dead' }), { leaseMs: 0 })
    await other.write(Task({ id: 'a' }))
    expect(await taking).toEqual({ id: 'a' })
    expect(await seen.ids(1)).toEqual(['a'])
  })

  test('a listener that falls behind is told how much it has missed, also when nothing comes after that', async () => {
    const { space, other } = opened()
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const missed: number[][] = []
    let last = 0
    const listener = async ({ sequence }: SpaceEvent): Promise<void> => {
      last = sequence
      await held
    }
    await space.notify([Task], listener, { onMissed: (...each) => void missed.push(each) })
    let quick = 0
    await space.notify([Task], () => void quick++)
    // One is in the listener's hands, 10 000 wait for it.
    for (let n = 0; n < 10_010; n += 1_001) {
      await other.writeAll(Array.from({ length: 1_001 }, (_, i) => Task({ id: `t${n + i}` })))
    }
    // What another listener of this process has seen has come for this one, too.
    await until(() => quick === 10_010, 'all of them to have come')
    release()
    await until(() => missed.length > 0, 'it is told')
    expect(missed).toEqual([[10_010 - last, 10_010]])
    expect(last).toBeGreaterThanOrEqual(10_000)
  })

  test('200 quick writes are 200 events without a gap', async () => {
    const { space, other } = opened()
    const seen = await told(space)
    await Promise.all(Array.from({ length: 200 }, (_, i) => other.write(Task({ id: `t${i}` }))))
    expect((await seen.ids(200)).sort()).toEqual(Array.from({ length: 200 }, (_, i) => `t${i}`).sort())
  })

  test('bad arguments are refused, and nothing is registered', async () => {
    const { space } = opened()
    const wrong = { code: 'INVALID_ARGUMENT' }
    // @ts-expect-error: nothing to be told of
    await expect(space.notify([], () => {})).rejects.toMatchObject(wrong)
    await expect(space.notify([Task], 'x' as never)).rejects.toMatchObject(wrong)
    await expect(space.notify([Task], () => {}, { on: 'taken' as never })).rejects.toMatchObject(wrong)
    await expect(space.notify([Task], () => {}, { leaseMs: -1 })).rejects.toMatchObject(wrong)
    await expect(space.notify([{} as never], () => {})).rejects.toMatchObject(wrong)
  })
})
