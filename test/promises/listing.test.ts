/** What listing promises: what is there is told page by page and stays; what was set aside is found by nobody, and listed. */
import { expect, test } from '@jest/globals'
import { DEAD_LETTER, type EncodedTemplate, type Listed } from '../../src/engine.js'
import { templateOf } from '../../src/entry/template.js'
import { AnyEntry, entryInfo } from '../../src/entry.js'
import { backlogOf, REQUEST, sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { deadLetterOf } from '../../src/tasks/dead-letter.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

const letters: EncodedTemplate = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }

async function all(space: Space, pattern: EncodedTemplate, most: number): Promise<Listed[]> {
  const found: Listed[] = []
  for (let after: string | null = null; ; ) {
    const { entries, next } = await space.engine.list(pattern, after, most)
    expect(entries.length).toBeLessThanOrEqual(most)
    found.push(...entries)
    if (next === null) return found
    after = next
  }
}

const request = {
  method: 'POST',
  target: '/poison?x=1',
  httpVersion: '1.1',
  headers: ['Host', 'shop.example'],
  body: Buffer.from('body'),
  peer: '127.0.0.1',
  secure: false,
}

everyEngine('listing', (opened) => {
  testInOnePartition('all that matches is told once, in the order in which it would be taken, and stays', async () => {
    const { space } = opened()
    for (let i = 0; i < 25; i++) {
      const make = i % 5 === 0 ? BigTask({ id: `t${i}`, shards: i }) : Task({ id: `t${i}` })
      await space.write(make, { priority: i % 3 })
    }
    await space.write(Other({ id: 'o' }))
    const told = await all(space, templateOf(Task).encoded, 7)
    const taken: string[] = []
    for (;;) {
      const task = await space.takeIfExists(Task)
      if (!task) break
      taken.push(entryInfo(task).id)
    }
    expect(taken).toHaveLength(25)
    expect(told.map(({ id }) => id)).toEqual(taken)
  })

  testInOnePartition('what is taken between two pages is not told, and nothing is told twice', async () => {
    const { space } = opened()
    for (let i = 0; i < 10; i++) await space.write(Task({ id: `t${i}` }))
    const first = await space.engine.list(templateOf(Task).encoded, null, 4)
    await space.take(Task.template({ id: 't3' }))
    await space.take(Task.template({ id: 't4' }))
    const second = await space.engine.list(templateOf(Task).encoded, first.next, 10)
    const ids = [...first.entries, ...second.entries].map(({ body }) => JSON.parse(body.toString()).id)
    expect(ids).toEqual(['t0', 't1', 't2', 't3', 't5', 't6', 't7', 't8', 't9'])
    expect(second.next).toBeNull()
  })

  test('the kinds are told with the number of their free entries', async () => {
    const { space } = opened()
    await space.writeAll([Task({ id: 'a' }), BigTask({ id: 'b', shards: 1 }), Other({ id: 'c' })])
    const kinds = await space.engine.kinds()
    expect(kinds.get('Task')).toBe(2)
    expect(kinds.get('Other')).toBe(1)
  })

  test('the backlog of a service is how many requests wait, and for how long the oldest has, whatever its priority', async () => {
    const { space, other } = opened()
    expect(await backlogOf(space, 'web')).toEqual({ count: 0, oldestMs: 0 })
    const terms = { service: 'web', timeoutMs: 20_000, repeatable: true }
    const old = sendRequest(space, request, { ...terms, priority: -1 })
    await until(async () => (await backlogOf(other, 'web')).oldestMs >= 20, 'it to have waited')
    const urgent = sendRequest(space, request, { ...terms, priority: 1 })
    const elsewhere = sendRequest(space, request, { ...terms, service: 'mail', priority: 1 })
    await until(async () => (await backlogOf(other, 'web')).count === 2, 'both to wait')
    expect((await backlogOf(other, 'web')).oldestMs).toBeGreaterThanOrEqual(20)
    for (const sent of [old, urgent, elsewhere]) sent.withdraw()
    await until(async () => (await backlogOf(other, 'web')).count === 0, 'none to wait')
  })

  test.each([10, 5_000])(
    'what is set aside is found by nobody, and kept as a dead letter (%d bytes)',
    async (bytes) => {
      const { space, other } = opened()
      const note = 'n'.repeat(bytes)
      const lease = await space.write(Task({ id: 'bad', note }))
      expect(await other.engine.deadLetter(lease.id, 'nonconforming')).toBe(true)
      expect(await space.readIfExists(Task)).toBeNull()
      expect(await space.readIfExists(AnyEntry)).toBeNull()
      expect(await space.takeIfExists(Task.template({ id: 'bad' }))).toBeNull()
      const [entry, ...rest] = await all(space, letters, 10)
      expect(rest).toEqual([])
      expect(deadLetterOf(entry!)).toMatchObject({ id: lease.id, reason: 'nonconforming', kind: 'Task', attempts: 0 })
      expect(entry!.body.toString()).toContain(note)
      expect(entry!.remainingMs).toBeGreaterThan(6 * 24 * 3_600_000)
      // Once is enough, and what is not there cannot be set aside.
      expect(await space.engine.deadLetter(lease.id, 'nonconforming')).toBe(false)
      expect(await space.engine.deadLetter('nobody', 'nonconforming')).toBe(false)
    },
  )

  test('a request that is set aside keeps what it was', async () => {
    const { space } = opened()
    const sent = sendRequest(space, request, { service: 'web', timeoutMs: 20_000, priority: 0, repeatable: false })
    await until(async () => (await backlogOf(space, 'web')).count === 1, 'it to wait')
    expect(await space.engine.deadLetter(sent.id, 'unwanted')).toBe(true)
    expect((await backlogOf(space, 'web')).count).toBe(0)
    const [entry] = await all(space, letters, 10)
    expect(deadLetterOf(entry!)).toMatchObject({
      id: sent.id,
      kind: REQUEST,
      service: 'web',
      reason: 'unwanted',
      request,
    })
  })
})
