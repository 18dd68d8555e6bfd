/** What taking promises: an entry is given to one taker, once, the right one first, and a waiting taker gets it without asking again. */
import { expect, test } from '@jest/globals'
import { AnyEntry, entryInfo } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'

everyEngine({ what: 'taking', partitions: 'redis' }, (opened) => {
  test('a written entry is there until it is taken, and then no more', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 't1', type: 'resize', size: 3 }))
    expect(await other.takeIfExists(Task)).toEqual({ id: 't1', type: 'resize', size: 3 })
    expect(await space.takeIfExists(Task)).toBeNull()
    expect(await other.readIfExists(Task)).toBeNull()
  })

  test('a loop of takes that do not wait lets timers run', async () => {
    const { space } = opened()
    let hasFired = false
    setTimeout(() => {
      hasFired = true
    }, 50)
    // Were it endless, no timeout could end this test either.
    const until = performance.now() + 10_000
    while (!hasFired && performance.now() < until) expect(await space.take(Task, { waitMs: 0 })).toBeNull()
    expect(hasFired).toBe(true)
  })

  test('an entry is given to one of many takers who were there first', async () => {
    const { space, other } = opened()
    const takers = Array.from({ length: 20 }, (_, i) => (i % 2 ? space : other).take(Task, { waitMs: 400 }))
    await space.write(Task({ id: 'only' }))
    const got = (await Promise.all(takers)).filter((entry) => entry !== null)
    expect(got).toEqual([{ id: 'only' }])
  })

  test('an entry is given to one of many takers who come at once', async () => {
    const { space, other } = opened()
    await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' }), Task({ id: 'c' })])
    const got = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? space : other).take(Task, { waitMs: 0 })),
    )
    expect(got.flatMap((entry) => (entry ? [entry.id] : [])).sort()).toEqual(['a', 'b', 'c'])
  })

  testInOnePartition('oldest first within a priority, higher priority first', async () => {
    const { space } = opened()
    for (const [id, priority] of [
      ['n1', 0],
      ['n2', 0],
      ['low', -128],
      ['high1', 127],
      ['high2', 127],
      ['n3', 0],
    ] as const) {
      await space.write(Task({ id }), { priority })
    }
    const order: string[] = []
    for (;;) {
      const task = await space.takeIfExists(Task)
      if (!task) break
      order.push(task.id)
    }
    expect(order).toEqual(['high1', 'high2', 'n1', 'n2', 'n3', 'low'])
  })

  test('the entry tells its id, kind, priority, time of writing and what is left of its lease', async () => {
    const { space } = opened()
    const lease = await space.write(BigTask({ id: 'b', shards: 2 }), { leaseMs: 60_000, priority: -3 })
    const task = await space.take(Task)
    const info = entryInfo(task)
    expect(info).toMatchObject({ id: lease.id, kind: 'BigTask', priority: -3 })
    expect(info.leaseMs).toBeGreaterThan(50_000)
    expect(info.leaseMs).toBeLessThanOrEqual(60_000)
    expect(Math.abs(info.writtenAt + 60_000 - lease.expiresAt)).toBeLessThan(1_000)
    expect(Task.is(task)).toBe(true)
    expect(BigTask.is(task)).toBe(true)
    expect(Other.is(task)).toBe(false)
  })

  test('a waiting taker gets an entry that is written later, wherever it is written', async () => {
    const { space, other } = opened()
    const waiting = space.take(Task.template({ type: 'resize' }))
    await other.write(Task({ id: 'no', type: 'crop' }))
    await other.write(Task({ id: 'yes', type: 'resize' }))
    expect(await waiting).toEqual({ id: 'yes', type: 'resize' })
    expect(await space.takeIfExists(Task)).toEqual({ id: 'no', type: 'crop' })
  })

  testInOnePartition('waiting takers are served in the order in which they came', async () => {
    const { space } = opened()
    const served: number[] = []
    const waits: Promise<unknown>[] = []
    for (let i = 0; i < 5; i++) waits.push(space.take(Task, { waitMs: 5_000 }).then(() => served.push(i)))
    for (let i = 0; i < 5; i++) await space.write(Task({ id: `t${i}` }))
    await Promise.all(waits)
    expect(served).toEqual([0, 1, 2, 3, 4])
  })

  test('a wait that is over returns null, not before its time, and takes nothing afterwards', async () => {
    const { space } = opened()
    const from = performance.now()
    expect(await space.take(Task, { waitMs: 60 })).toBeNull()
    expect(performance.now() - from).toBeGreaterThanOrEqual(60)
    await space.write(Task({ id: 'later' }))
    expect(await space.takeIfExists(Task)).toEqual({ id: 'later' })
  })

  test('a signal ends the wait with its reason, and nothing is lost', async () => {
    const { space } = opened()
    const controller = new AbortController()
    const waiting = space.take(Task, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(space.take(Task, { signal: controller.signal })).rejects.toThrow('enough')
    await space.write(Task({ id: 'kept' }))
    expect(await space.takeIfExists(Task)).toEqual({ id: 'kept' })
  })

  test('takes that time out while entries are handed over lose none and double none', async () => {
    const { space, other } = opened()
    const taken: string[] = []
    for (let round = 0; round < 60; round++) {
      const waiting = other.take(Task, { waitMs: round % 4 })
      await space.write(Task({ id: `r${round}` }))
      const entry = await waiting
      if (entry) taken.push(entry.id)
    }
    for (;;) {
      const rest = await other.take(Task, { waitMs: 50 })
      if (!rest) break
      taken.push(rest.id)
    }
    expect(taken.sort()).toEqual(Array.from({ length: 60 }, (_, i) => `r${i}`).sort())
  })

  testInOnePartition('AnyEntry matches every kind, oldest first', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: '1' }))
    await other.write(Other({ id: '2' }))
    await space.write(BigTask({ id: '3', shards: 1 }))
    expect([await space.take(AnyEntry), await space.take(AnyEntry), await space.take(AnyEntry)]).toEqual([
      { id: '1' },
      { id: '2' },
      { id: '3', shards: 1 },
    ])
    const waiting = other.take(AnyEntry)
    await space.write(Other({ id: '4' }))
    expect(await waiting).toEqual({ id: '4' })
  })

  test('a large entry comes back as it was', async () => {
    const { space, other } = opened()
    const note = 'é\u0000"|\n'.repeat(60_000)
    await space.write(Task({ id: 'large', note }))
    expect(await other.readIfExists(Task)).toEqual({ id: 'large', note })
    expect(await other.take(Task.template({ id: 'large' }))).toEqual({ id: 'large', note })
    const waiting = other.take(Task.template({ id: 'larger' }))
    await space.write(Task({ id: 'larger', note }))
    expect((await waiting).note).toBe(note)
  })

  test('after close every call says so', async () => {
    const { space } = opened()
    const waiting = space.take(Task)
    const read = space.read(Task, { waitMs: 60_000 })
    const ends = Promise.all([
      expect(waiting).rejects.toMatchObject({ code: 'SPACE_CLOSED' }),
      expect(read).rejects.toMatchObject({ code: 'SPACE_CLOSED' }),
    ])
    await space.close()
    await ends
    await expect(space.take(Task)).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
    await expect(space.write(Task({ id: 'x' }))).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  })
})
