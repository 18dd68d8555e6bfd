/** Reads, takes and cancels by id: the entry of that id, at once, if nobody else holds it. */
import { expect, test } from '@jest/globals'
import { z } from 'zod'
import { defineEntry, entryInfo } from '../../src/entry.js'
import { sendRequest } from '../../src/request.js'
import { everyEngine } from '../support/every-engine.js'
import { BigTask, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

const LARGE = 'x'.repeat(5_000)

everyEngine('by id', (opened) => {
  test('an entry is read, taken and cancelled by the id that its lease and entryInfo tell', async () => {
    const { space, other } = opened()
    const { id } = await space.write(BigTask({ id: 'a', shards: 2, note: LARGE }), { priority: 2, leaseMs: 60_000 })
    const read = await other.readById(id)
    expect(read).toEqual({ id: 'a', shards: 2, note: LARGE })
    expect(BigTask.is(read) && Task.is(read)).toBe(true)
    expect(entryInfo(read!)).toMatchObject({ id, kind: 'BigTask', priority: 2 })
    expect(await other.takeById(id)).toEqual(read)
    expect(await space.takeById(id)).toBeNull()
    expect(await space.readById(id)).toBeNull()
    expect(await space.cancelById(id)).toBe(false)
    const next = await space.write(Task({ id: 'b' }))
    expect(await other.cancelById(next.id)).toBe(true)
    expect(await space.readIfExists(Task)).toBeNull()
    await expect(next.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  })

  test('what was read by id can be changed and written again as the kind that it is', async () => {
    const { space, other } = opened()
    const { id } = await space.write(Task({ id: 'a', type: 'x' }))
    const task = await other.takeById(id)
    if (!Task.is(task)) throw new Error('it is a Task')
    await other.write(Task({ ...task, type: 'y' }))
    expect(await space.readIfExists(Task.template({ type: 'y' }))).toEqual({ id: 'a', type: 'y' })
  })

  test('of many takes by id one has the entry', async () => {
    const { space, other } = opened()
    const { id } = await space.write(Task({ id: 'a' }))
    const takes = await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? space : other).takeById(id)))
    expect(takes.filter((entry) => entry !== null)).toEqual([{ id: 'a' }])
  })

  test('an entry that a transaction holds is not there for others, and its own transaction has it', async () => {
    const { space, other } = opened()
    const { id } = await space.write(Task({ id: 'a' }))
    const tx = await space.begin()
    const written = await space.write(Task({ id: 'own' }), { tx })
    expect(await space.readById(written.id, { tx })).toEqual({ id: 'own' })
    expect(await other.readById(written.id)).toBeNull()
    await tx.commit()
    const reading = await space.begin()
    expect(await space.readById(id, { tx: reading })).toEqual({ id: 'a' })
    expect(await other.readById(id)).toEqual({ id: 'a' })
    expect(await other.takeById(id)).toBeNull()
    expect(await other.cancelById(id)).toBe(false)
    expect(await space.takeById(id, { tx: reading })).toEqual({ id: 'a' })
    expect(await other.readById(id)).toBeNull()
    expect(await space.readById(id, { tx: reading })).toBeNull()
    await reading.abort()
    expect(await other.takeById(id)).toEqual({ id: 'a' })
  })

  test('the framework’s own entries are not found by their ids', async () => {
    const { space, other } = opened()
    const request = { method: 'GET', httpVersion: '1.1', headers: [], body: Buffer.alloc(0), peer: '', secure: false }
    const terms = { service: 'web', timeoutMs: 60_000, priority: 0, repeatable: true }
    const sent = sendRequest(space, { ...request, target: '/' }, terms)
    sent.response.catch(() => {})
    await until(async () => (await space.engine.kinds()).get('takespace.Request') === 1, 'the request is there')
    expect(await other.readById(sent.id)).toBeNull()
    expect(await other.takeById(sent.id)).toBeNull()
    expect(await other.update(sent.id, { set: { a: 1 } })).toBeNull()
    expect(await other.cancelById(sent.id)).toBe(false)
    expect((await space.engine.kinds()).get('takespace.Request')).toBe(1)
    sent.withdraw()
  })

  test('what does not match the schema of its kind goes to the dead letters', async () => {
    const { space, other } = opened()
    defineEntry<{ n: number }>('Judged')
    const Loose = defineEntry<{ n: unknown }>('Judged')
    const { id } = await space.write(Loose({ n: 'none' }))
    defineEntry('Judged', { schema: z.object({ n: z.number() }) })
    expect(await other.readById(id)).toBeNull()
    expect(other.nonconformingEntries).toBe(1)
    expect(await space.cancelById(id)).toBe(false)
  })

  test('malformed ids and options are refused', async () => {
    const { space } = opened()
    const refused = { code: 'INVALID_ARGUMENT' }
    for (const id of ['', 1, undefined, null, 'x'.repeat(201)] as never[]) {
      await expect(space.readById(id)).rejects.toMatchObject(refused)
      await expect(space.takeById(id)).rejects.toMatchObject(refused)
      await expect(space.cancelById(id)).rejects.toMatchObject(refused)
    }
    await expect(space.readById('a', { waitMs: 1 } as never)).rejects.toMatchObject(refused)
    await expect(space.takeById('a', { tx: {} } as never)).rejects.toMatchObject(refused)
    await space.close()
    await expect(space.readById('a')).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
    await expect(space.cancelById('a')).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  })
})
