/** What writing promises: all or none, the n-th lease to the n-th entry, and bad input gets a clear error with nothing stored. */
import { expect, test } from '@jest/globals'
import { AnyEntry, defineEntry, entryInfo } from '../../src/entry.js'
import { everyEngine } from '../support/every-engine.js'
import { Task } from '../support/kinds.js'

const Loose = defineEntry<Record<string, unknown>>('Loose')

everyEngine('writing', (opened) => {
  test('writeAll writes all, in order, with a working lease for each', async () => {
    const { space } = opened()
    const leases = await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' }), Task({ id: 'c' })], {
      leaseMs: [60_000, 120_000, Number.POSITIVE_INFINITY],
    })
    expect(leases).toHaveLength(3)
    // Each lease runs from its own moment within the call.
    expect(leases[1]!.expiresAt - leases[0]!.expiresAt).toBeGreaterThanOrEqual(60_000)
    expect(leases[1]!.expiresAt - leases[0]!.expiresAt).toBeLessThan(120_000)
    await leases[0]!.cancel()
    await leases[2]!.renew(60_000)
    expect(await space.take(Task)).toEqual({ id: 'b' })
    const last = await space.take(Task)
    expect(last).toEqual({ id: 'c' })
    expect(entryInfo(last).id).toBe(leases[2]!.id)
  })

  test('equal entries are as many entries as were written', async () => {
    const { space } = opened()
    const entry = Task({ id: 'same' })
    await space.writeAll([entry, entry])
    await space.write(entry)
    expect([await space.takeIfExists(Task), await space.takeIfExists(Task), await space.takeIfExists(Task)]).toEqual([
      entry,
      entry,
      entry,
    ])
    expect(await space.takeIfExists(Task)).toBeNull()
  })

  test('the space keeps a copy', async () => {
    const { space } = opened()
    const fields = { id: 'x', note: 'before' }
    const entry = Task(fields)
    fields.note = 'after'
    await space.write(entry)
    expect(await space.read(Task)).toEqual({ id: 'x', note: 'before' })
  })

  const circle: Record<string, unknown> = {}
  circle.self = circle
  const deep = JSON.parse('['.repeat(70) + ']'.repeat(70))
  test.each<[string, Record<string, unknown>]>([
    ['a function', { f: () => 1 }],
    ['a symbol', { s: Symbol('s') }],
    ['NaN', { n: Number.NaN }],
    ['Infinity', { n: { deep: [Number.POSITIVE_INFINITY] } }],
    ['a circle', { circle }],
    ['a lone surrogate', { text: 'a\ud800' }],
    ['depth over 64', { deep }],
    ['an invalid date', { d: new Date(Number.NaN) }],
  ])('%s is refused by name, and nothing is stored', async (_what, fields) => {
    const { space } = opened()
    await expect(space.writeAll([Loose({ fine: 1 }), Loose(fields)])).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test.each([
    ['a negative lease', { leaseMs: -1 }],
    ['a lease that is null', { leaseMs: null as never }],
    ['a lease that is a text', { leaseMs: '5' as never }],
    ['a lease that is no number', { leaseMs: Number.NaN }],
    ['a priority out of range', { priority: 1_000 }],
    ['half a priority', { priority: 0.5 }],
  ])('%s is refused, and nothing is stored', async (_what, options) => {
    const { space } = opened()
    await expect(space.write(Task({ id: 'x' }), options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test('what is no entry, no template or no wait is refused', async () => {
    const { space } = opened()
    // @ts-expect-error: not made by a kind
    await expect(space.write({ id: 'plain object' })).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    // @ts-expect-error: nothing to write
    await expect(space.writeAll([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(space.writeAll([Task({ id: 'x' })], { leaseMs: [1, 2] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect(space.take({} as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(space.take(Task, { waitMs: -5 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(space.read(Task, { waitMs: Number.NaN })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(() => defineEntry('')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => defineEntry('*')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('what is no entry, no template, no wait or no signal is refused by every call', async () => {
    const { space } = opened()
    const refused = { code: 'INVALID_ARGUMENT' }
    for (const name of ['take', 'read', 'takeIfExists', 'readIfExists'] as const) {
      const find = (...args: unknown[]) => (space[name] as (...args: unknown[]) => Promise<unknown>).apply(space, args)
      for (const template of [{}, null, undefined, 'Task', () => 1, Task({ id: 'x' })]) {
        await expect(find(template)).rejects.toMatchObject(refused)
      }
      await expect(find(Task, { signal: {} })).rejects.toMatchObject(refused)
    }
    for (const waitMs of [-1, Number.NaN, '5', null]) {
      await expect(space.take(Task, { waitMs: waitMs as never })).rejects.toMatchObject(refused)
      await expect(space.takeAll([Task], { waitMs: waitMs as never })).rejects.toMatchObject(refused)
    }
    for (const entry of [{}, null, undefined, 5, Task, Task.template({})]) {
      await expect(space.write(entry as never)).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    }
    await expect(space.writeAll('x' as never)).rejects.toMatchObject(refused)
  })

  test('after close every method says so, at once', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 'x' }))
    await space.close()
    const closed = { code: 'SPACE_CLOSED' }
    const large = Task({ id: 'large', note: 'x'.repeat(100_000) })
    const calls = [
      () => space.write(large),
      () => space.writeAll([Task({ id: 'y' })]),
      () => space.take(Task),
      () => space.read(Task),
      () => space.takeIfExists(Task),
      () => space.readIfExists(Task),
      () => space.takeAll([Task]),
      () => space.takeAll([Task, AnyEntry]),
      () => space.renewAll([lease], 5),
      () => space.cancelAll([lease]),
      () => lease.renew(5),
      () => lease.cancel(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject(closed)
    expect(() => space.snapshot(Task)).toThrow(expect.objectContaining(closed))
    expect(() => space.keepAlive([lease])).toThrow(expect.objectContaining(closed))
    await space.close()
  })
})
