/** What schemas promise: nothing that does not fit is stored by us, and nothing that does not fit is delivered, whoever stored it. */
import { describe, expect, jest, test } from '@jest/globals'
import { z } from 'zod'
import type { StandardSchema } from '../../src/entry/schema.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'

const Order = defineEntry('Order', {
  schema: z.object({
    id: z.string().trim(),
    customer: z.string(),
    items: z.array(z.object({ sku: z.string(), count: z.coerce.number().int().positive() })).default([]),
    due: z.coerce.date().optional(),
  }),
  index: ['id', 'customer'],
})
/** The same name in the hands of somebody who knows nothing of the schema. */
const Foreign = defineEntry<Record<string, unknown>>('Order')

const item = { sku: 'a', count: 1 }

everyEngine({ what: 'schemas', partitions: 'all' }, (opened) => {
  test('what the schema makes of an entry is stored, found and read', async () => {
    const { space, other } = opened()
    await space.write(Order({ id: ' 1 ', customer: 'c', due: '2026-01-02', items: [{ sku: 'a', count: '2' }] }))
    const stored = { id: '1', customer: 'c', due: new Date('2026-01-02'), items: [{ sku: 'a', count: 2 }] }
    expect(await other.readIfExists(Foreign)).toEqual(stored)
    expect(await other.readIfExists(Order.template({ id: '1', due: stored.due }))).toEqual(stored)
    expect(await other.readIfExists(Order.template({ id: ' 1 ' }))).toBeNull()
    const order = await other.take(Order)
    expect(order).toEqual(stored)
    expect(Order.is(order)).toBe(true)
    // What was taken can be written again.
    await other.write(order)
    expect(await space.take(Order.template({ items: stored.items }))).toEqual(stored)
  })

  test('what does not fit is refused with its path and what the schema said, and nothing is stored', async () => {
    const { space } = opened()
    const bad = Order({ id: '2', customer: 5, items: [item, { sku: 'b', count: -1 }] } as never)
    const error = await space.writeAll([Order({ id: '1', customer: 'c' }), bad]).catch((e: unknown) => e)
    expect(error).toMatchObject({
      code: 'INVALID_ENTRY',
      message: expect.stringMatching(/Order refuses customer: .*expected string.*; items\.1\.count: /),
      cause: [{ path: ['customer'] }, { path: ['items', 1, 'count'] }],
    })
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test('a schema that makes what cannot be stored, or throws, is refused', async () => {
    const { space } = opened()
    const of = (schema: z.ZodType<object, object>) => defineEntry('Odd', { schema })
    const odd: [z.ZodType<object, object>, RegExp][] = [
      [z.object({ at: z.string().transform((id) => new Map([[id, 1]])) }), /its own output/],
      [z.object({ at: z.any().transform(() => Number.NaN) }), /NaN/],
      [z.object({ at: z.string() }).transform(() => 'text' as never), /makes no object/],
      [z.object({ at: z.string().transform((text) => `${text}!`) }), /changes its own output/],
      [z.object({ at: z.string().transform(Number) }), /its own output, which readers will be given: at/],
      [
        z.object({ at: z.string() }).refine(() => {
          throw new Error('its own fault')
        }),
        /threw/,
      ],
    ]
    for (const [schema, message] of odd) {
      await expect(space.write(of(schema)({ at: 'x' }))).rejects.toMatchObject({
        code: 'INVALID_ENTRY',
        message: expect.stringMatching(message),
      })
    }
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test('a schema may be asynchronous', async () => {
    const { space, other } = opened()
    const known = new Set(['c'])
    const Checked = defineEntry('Checked', {
      schema: z.object({ customer: z.string().refine(async (customer) => known.has(customer), 'nobody knows them') }),
    })
    await expect(space.write(Checked({ customer: 'd' }))).rejects.toThrow(/customer: nobody knows them/)
    const snapshot = space.snapshot(Checked({ customer: 'd' }))
    await expect(space.write(snapshot)).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    await expect(space.writeAll([snapshot, snapshot])).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    await space.write(Checked({ customer: 'c' }))
    expect(await other.read(Checked)).toEqual({ customer: 'c' })
    expect(await other.take(Checked)).toEqual({ customer: 'c' })
  })

  testInOnePartition(
    'a taker is given the next match: what does not fit is set aside, counted, never delivered',
    async () => {
      const { space, other } = opened()
      for (const fields of [
        {},
        { id: 5, customer: 'c' },
        { id: '1', customer: 'c', items: [{ sku: 'x', count: 'many' }] },
      ]) {
        await space.write(Foreign(fields))
      }
      await space.write(Foreign({ id: ' 2', customer: 'c', extra: true }))
      // As the schema has it, also where a stranger left it to others.
      expect(await other.take(Order)).toEqual({ id: '2', customer: 'c', items: [] })
      expect(other.nonconformingEntries).toBe(3)
      expect(await space.takeIfExists(AnyEntry)).toBeNull()
    },
  )

  test('whoever takes all is given all that fit', async () => {
    const { space, other } = opened()
    const orders = Array.from({ length: 40 }, (_, i) =>
      (i % 4 ? Order : Foreign)({ id: String(i), customer: i % 4 ? 'c' : i } as never),
    )
    await space.writeAll(orders)
    const taken = await other.takeAll([Order.template({ customer: 'd' }), Order])
    expect(taken.map(({ id }) => Number(id))).toEqual(Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 4))
    expect(other.nonconformingEntries).toBe(10)
    const waiting = other.takeAll([Order, Order.template({ id: 'x' })])
    await space.write(Foreign({ id: 'x' }))
    await space.write(Order({ id: 'y', customer: 'c' }))
    expect(await waiting).toEqual([{ id: 'y', customer: 'c', items: [] }])
  })

  test('a waiting taker and a waiting reader go on waiting', async () => {
    const { space, other } = opened()
    for (const find of ['take', 'read'] as const) {
      const before = other.nonconformingEntries
      const waiting = other[find](Order, { waitMs: 20_000 })
      const controller = new AbortController()
      const signalled = other[find](Order.template({ id: 'never' }), { signal: controller.signal })
      await space.write(Foreign({ id: 'x' }))
      await space.write(Foreign({ id: 'never' }))
      await until(() => other.nonconformingEntries - before === 2, 'both to be set aside')
      controller.abort(new Error('enough'))
      await expect(signalled).rejects.toThrow('enough')
      await space.write(Order({ id: 'y', customer: 'c' }))
      expect(await waiting).toEqual({ id: 'y', customer: 'c', items: [] })
      expect(other.nonconformingEntries - before).toBe(2)
      while (await space.takeIfExists(AnyEntry));
    }
  })

  test('the wait is one wait, however much does not fit', async () => {
    const { space, other } = opened()
    const from = performance.now()
    const ended: string[] = []
    const waiting = other.take(Order, { waitMs: 200 }).then((found) => {
      ended.push('first')
      return found
    })
    const meanwhile = performance.now() + 100
    await until(() => performance.now() > meanwhile, 'half of its time to pass')
    await space.write(Foreign({ id: 1 }))
    await until(() => other.nonconformingEntries === 1, 'it to be set aside')
    // Had it begun to wait anew, it would end with this one.
    const later = other.take(Order, { waitMs: 200 }).then(() => ended.push('later'))
    expect(await waiting).toBeNull()
    expect(performance.now() - from).toBeGreaterThanOrEqual(200)
    await later
    expect(ended).toEqual(['first', 'later'])
    expect(await other.takeIfExists(Order)).toBeNull()
    expect(await other.readIfExists(Order)).toBeNull()
  })

  testInOnePartition('a reader that meets a misfit sets it aside once, for all', async () => {
    const { space, other } = opened()
    await space.write(Foreign({ id: 1 }))
    await space.write(Order({ id: '2', customer: 'c' }))
    const before = space.nonconformingEntries + (space === other ? 0 : other.nonconformingEntries)
    const reads = await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? space : other).read(Order)))
    expect(reads.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, () => '2'))
    expect(space.nonconformingEntries + (space === other ? 0 : other.nonconformingEntries) - before).toBe(1)
    expect(await space.take(AnyEntry)).toMatchObject({ id: '2' })
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test('bytes that are no entry are set aside by whoever asks, also for any kind', async () => {
    const { space, other } = opened()
    const image = { kinds: ['Order'], indexed: [], verified: [], index: ':id:customer:', leaseMs: 60_000, priority: 0 }
    const bodies = ['', '{', '[]', 'null', '{"a":{"$bigint":"x"}}', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`]
    for (const kind of [Order, Foreign, AnyEntry]) {
      const before = other.nonconformingEntries
      for (const [i, body] of bodies.entries()) {
        await space.engine.write([{ ...image, id: `${space.newId()}${i}`, body: Buffer.from(body) }])
      }
      expect(await other.takeIfExists(kind)).toBeNull()
      expect(other.nonconformingEntries - before).toBe(bodies.length)
    }
  })

  test('a wait whose time is over while a schema judges ends when that has found nothing', async () => {
    const { space, other } = opened()
    for (const under of [false, true]) {
      const asked: (() => void)[] = []
      const schema: StandardSchema<{ id: string }, { id: string }> = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => new Promise((resolve) => void asked.push(() => resolve({ issues: [{ message: 'no' }] }))),
        },
      }
      const Slow = defineEntry('Slow', { schema })
      const tx = under ? await space.begin() : undefined
      const over = new AbortController()
      const taking = space.take(Slow, { waitMs: 30, tx })
      const reading = space.read(Slow, { signal: over.signal, tx }).catch((error) => error)
      for (let i = 0; i < 3; i++) await space.readIfExists(AnyEntry)
      await other.write(defineEntry<{ id: string }>('Slow')({ id: 'a' }))
      await until(() => asked.length > 0, 'the schema is asked')
      const later = performance.now() + 60
      await until(() => performance.now() > later, 'the time is over')
      over.abort(new Error('enough'))
      const end = Promise.all([taking, reading])
      const judging = setInterval(() => asked.pop()?.(), 5)
      expect(await end.finally(() => clearInterval(judging))).toEqual([null, new Error('enough')])
      await tx?.abort()
    }
  })

  test('an entry whose schema cannot judge it stays for others', async () => {
    const { space } = opened()
    let broken = false
    const schema: StandardSchema<{ id: string }, { id: string }> = {
      '~standard': {
        version: 1,
        vendor: 'ours',
        validate: async (value) => {
          if (broken) throw new Error('the directory is down')
          return { value: value as { id: string } }
        },
      },
    }
    const Fragile = defineEntry('Fragile', { schema })
    await space.write(Fragile({ id: 'f' }))
    broken = true
    await expect(space.read(Fragile)).rejects.toMatchObject({
      code: 'INVALID_ENTRY',
      cause: { message: 'the directory is down' },
    })
    expect(space.nonconformingEntries).toBe(0)
    broken = false
    expect(await space.read(Fragile)).toEqual({ id: 'f' })
    broken = true
    await expect(space.take(Fragile)).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    expect(space.nonconformingEntries).toBe(0)
    broken = false
    expect(await space.take(Fragile)).toEqual({ id: 'f' })
  })

  test('an extended kind has its own schema, or that of its parent and any fields more; a parent is never shown what it would refuse', async () => {
    const { space, other } = opened()
    const Plain = Order.extend<{ note: string }>('NotedOrder')
    const Big = Order.extend('BigOrder', {
      schema: z.object({
        id: z.string(),
        customer: z.string(),
        items: z.array(z.any()),
        shards: z.number().default(1),
      }),
    })
    const Small = Order.extend('SmallOrder', { schema: z.object({ id: z.string(), customer: z.string() }) })
    await space.write(Plain({ id: ' p ', customer: 'c', note: 'n' }))
    expect(await other.take(Order)).toEqual({ id: 'p', customer: 'c', note: 'n', items: [] })
    await space.write(Plain({ id: 'p', customer: 'c', note: 'n' }))
    expect(await other.take(Plain)).toEqual({ id: 'p', customer: 'c', note: 'n', items: [] })
    await expect(space.write(Plain({ id: 5, customer: 'c', note: 'n' } as never))).rejects.toThrow(/id/)

    await space.write(Big({ id: 'b', customer: 'c', items: [item] }))
    expect(await other.take(Order)).toEqual({ id: 'b', customer: 'c', items: [item], shards: 1 })
    await space.write(Big({ id: 'b', customer: 'c', items: [item], shards: 3 }))
    expect(await other.take(Big)).toEqual({ id: 'b', customer: 'c', items: [item], shards: 3 })
    await expect(space.write(Big({ id: 'b', customer: 'c', items: [{ sku: 1 }] }))).rejects.toThrow(/items\.0\.sku/)
    await space.write(Small({ id: 's', customer: 'c' }))
    expect(await other.take(Small)).toEqual({ id: 's', customer: 'c', items: [] })
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
    expect(other.nonconformingEntries).toBe(0)
  })
})

describe('a schema and its kind', () => {
  const refused = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) })

  test('what is no Standard Schema is refused', () => {
    for (const schema of [{}, 'zod', { '~standard': {} }]) {
      expect(() => defineEntry('Odd', { schema: schema as never })).toThrow(refused('INVALID_ARGUMENT', /~standard/))
    }
  })

  test('an unknown field in a template or an index is refused where the schema can tell', () => {
    const Plain = defineEntry('Plain', { schema: z.object({ id: z.string(), $x: z.string() }) })
    expect(() => Plain.template({ colour: 'red' } as never)).toThrow(refused('INVALID_ENTRY', /no field colour/))
    Plain.template({ id: 'x', $x: 'y' })
    expect(() => defineEntry('Plain', { schema: z.object({ id: z.string() }), index: ['colour' as never] })).toThrow(
      refused('INVALID_ARGUMENT', /names colour/),
    )
    // Dates have no place in JSON Schema, other fields have one in these, and of its own this one tells nothing.
    const silent: StandardSchema<object, object> = {
      '~standard': { version: 1, vendor: 'ours', validate: (value) => ({ value: value as object }) },
    }
    for (const schema of [z.object({ at: z.date() }), z.looseObject({ at: z.string() }), silent]) {
      defineEntry('Open', { schema: schema as StandardSchema<object, object>, index: ['colour' as never] }).template({
        colour: 1,
      } as never)
    }
    // What extends it has fields that its schema does not know.
    Plain.extend<{ colour: string }>('Coloured').template({ colour: 'red' })
  })

  test('any library will do', async () => {
    const even: StandardSchema<{ n: number }, { n: number }> = {
      '~standard': {
        version: 1,
        vendor: 'ours',
        validate: (value) =>
          (value as { n: number }).n % 2 === 0
            ? { value: value as { n: number } }
            : { issues: [{ message: 'odd', path: [{ key: 'n' }] }, { message: 'all in all' }] },
      },
    }
    const Even = defineEntry('Even', { schema: even })
    await using space = await openSpace('memory:')
    await space.write(Even({ n: 2 }))
    await expect(space.write(Even({ n: 1 }))).rejects.toThrow(/refuses n: odd; \(top\): all in all/)
    expect(await space.take(Even)).toEqual({ n: 2 })
  })

  test('a misfit is reported by id, kind and path, without what it holds', async () => {
    const logger = { debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() }
    await using space = await openSpace('memory:', { logger })
    const lease = await space.write(Foreign({ id: 'secret', customer: 5, items: [{ sku: 'secret', count: 'secret' }] }))
    expect(await space.takeIfExists(Order)).toBeNull()
    // Order and Foreign are two definitions of one kind, which is told, too.
    expect(logger.warn.mock.calls.filter(([fields]) => !('differs' in (fields as object)))).toEqual([
      [
        { id: lease.id, kind: 'Order', paths: ['customer', 'items.0.count'] },
        expect.stringMatching(/moved to the dead letters/),
      ],
    ])
  })
})
