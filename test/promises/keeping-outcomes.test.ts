/** What tickets are promised: one request each, and one outcome, kept for whoever asks, also when nobody is left who asked for it. */
import { expect, test } from '@jest/globals'
import { CANCELLED, COMPLETED, EXHAUSTED, LOST, type TicketTerms } from '../../src/engine/tickets.js'
import type { Delivery, EncodedEntry } from '../../src/engine.js'
import { progressTemplate, resultTemplate } from '../../src/entry/ticket.js'
import { AnyEntry } from '../../src/entry.js'
import type { Space } from '../../src/space.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'

const KIND = 'takespace.Task'

const terms = (id: string, more: Partial<TicketTerms> = {}): TicketTerms => ({
  id,
  fingerprint: 'p',
  leaseMs: 20_000,
  keptMs: 20_000,
  maxBytes: 1 << 20,
  ...more,
})

const request = (id: string, more: Partial<EncodedEntry> = {}): EncodedEntry => ({
  id,
  kinds: [KIND],
  indexed: ['service=s:web'],
  verified: [],
  body: Buffer.from('in'),
  leaseMs: 20_000,
  priority: 0,
  request: { repeatable: true, maxDeliveries: 3 },
  ...more,
})

async function hold(space: Space): Promise<{ next(): Promise<Delivery>; end(): Promise<void> }> {
  const held: Delivery[] = []
  const pattern = { kind: KIND, root: KIND, indexed: ['service=s:web'], verified: [] }
  const offer = await space.engine.offer(pattern, 1, (delivery) => held.push(delivery))
  return {
    async next() {
      await until(() => held.length > 0, 'a delivery')
      return held.shift()!
    },
    end: () => offer.end(),
  }
}

const resultIn = (space: Space, id: string, waitMs = 10_000) =>
  space.engine.find({ template: resultTemplate(id), take: false, waitMs })

everyEngine({ what: 'keeping outcomes', partitions: 'all' }, (opened) => {
  test.each([3, 100_000])('an outcome of %i bytes is shown to all who wait, and to all who ask later', async (size) => {
    const { space, other } = opened()
    const { tickets } = space.engine
    expect(await tickets.open(terms('t'), request('t.1', { body: Buffer.alloc(size, 'i') }))).toBe('opened')
    expect(await tickets.look('t')).toMatchObject({ state: 'waiting', deaths: 0 })
    const waiting = [resultIn(space, 't'), resultIn(other, 't')]
    const worker = await hold(other)
    const delivery = await worker.next()
    expect(delivery.body).toEqual(Buffer.alloc(size, 'i'))
    expect(await tickets.look('t')).toMatchObject({ state: 'running' })
    const body = Buffer.alloc(size, 'o')
    expect(await other.engine.complete(delivery, body, 1)).toBe(true)
    for (const found of [
      ...(await Promise.all(waiting)),
      await resultIn(space, 't', 0),
      await resultIn(other, 't', 0),
    ]) {
      expect(found).toMatchObject({ id: 't', kinds: [COMPLETED, 'takespace.Result', 'takespace.Ticket'] })
      expect(found!.body.equals(body)).toBe(true)
    }
    expect(await tickets.look('t')).toMatchObject({ state: 'settled' })
    expect(await tickets.look('unknown')).toBeNull()
    expect(await resultIn(space, 'unknown', 0)).toBeNull()
    expect(await space.readIfExists(AnyEntry)).toBeNull()
  })

  test('it is opened once: who asks for the same is told whether somebody waits, who asks for something else that it differs', async () => {
    const { space, other } = opened()
    const { tickets } = space.engine
    expect(await tickets.open(terms('t'), request('t.1'))).toBe('opened')
    expect(await tickets.open(terms('t'), request('t.2', { body: Buffer.alloc(5_000) }))).toBe('busy')
    expect(await other.engine.tickets.open(terms('t'), request('t.3'))).toBe('busy')
    expect(await other.engine.tickets.open(terms('t', { fingerprint: 'q' }), request('t.4'))).toBe('differs')
    // Only who waits can leave.
    await other.engine.tickets.leave('t')
    expect(await other.engine.tickets.open(terms('t'), request('t.5'))).toBe('busy')
    await tickets.leave('t')
    expect(await other.engine.tickets.open(terms('t'), request('t.6'))).toBe('joined')
    expect(await tickets.open(terms('t'), request('t.7'))).toBe('busy')
    const worker = await hold(other)
    const delivery = await worker.next()
    expect(delivery.id).toBe('t.1')
    await other.engine.complete(delivery, Buffer.from('once'), 1)
    expect(await tickets.open(terms('t'), request('t.8'))).toBe('joined')
    expect(await tickets.open(terms('t', { fingerprint: 'q' }), request('t.9'))).toBe('differs')
    expect((await resultIn(space, 't'))!.body.toString()).toBe('once')
    const left = { kind: KIND, root: KIND, indexed: [], verified: [] }
    expect((await space.engine.backlog(left)).count).toBe(0)
  })

  test('whoever opened it may go: the request is run, and its outcome kept', async () => {
    const { space, other, bounded } = opened()
    const third = await bounded({})
    expect(await third.engine.tickets.open(terms('t'), request('t.1'))).toBe('opened')
    expect(await third.engine.tickets.open(terms('u'), request('u.1'))).toBe('opened')
    const worker = await hold(other)
    const first = await worker.next()
    await third.close()
    await other.engine.complete(first, Buffer.from('first'), 1)
    expect((await resultIn(space, 't'))!.body.toString()).toBe('first')
    expect(await space.engine.tickets.open(terms('u'), request('u.2'))).toBe('joined')
    await other.engine.complete(await worker.next(), Buffer.from('second'), 1)
    expect((await resultIn(space, 'u'))!.body.toString()).toBe('second')
  })

  test('a request that nobody asks for any longer stays also where it was put back', async () => {
    const { space, other, bounded } = opened()
    const third = await bounded({})
    const worker = await hold(other)
    await third.engine.tickets.open(terms('t'), request('t.1'))
    const delivery = await worker.next()
    await third.close()
    await worker.end()
    await other.engine.release(delivery)
    expect(await space.engine.tickets.look('t')).toMatchObject({ state: 'waiting' })
    const heir = await hold(space)
    await space.engine.complete(await heir.next(), Buffer.from('done'), 1)
    expect((await resultIn(space, 't'))!.body.toString()).toBe('done')
  })

  test('one whose workers died, or that may not run twice, is settled as that; so is one that is cancelled', async () => {
    const { space, other } = opened()
    const { tickets } = space.engine
    await tickets.open(terms('x'), request('x.1', { request: { repeatable: true, maxDeliveries: 1 } }))
    let worker = await hold(other)
    await worker.next()
    await space.declareDead(other.presence)
    expect((await resultIn(space, 'x'))!.kinds[0]).toBe(EXHAUSTED)
    await worker.end()

    await tickets.open(terms('l'), request('l.1', { request: { repeatable: false, maxDeliveries: 3 } }))
    worker = await hold(other)
    expect(await other.engine.start(await worker.next())).toBe(true)
    await space.declareDead(other.presence)
    expect((await resultIn(space, 'l'))!.kinds[0]).toBe(LOST)
    await worker.end()

    await tickets.open(terms('c'), request('c.1'))
    worker = await hold(other)
    const held = await worker.next()
    let told = false
    held.holder = {
      lost() {
        told = true
      },
    }
    expect(await tickets.settle('c', null)).toBe(true)
    expect((await resultIn(space, 'c'))!.kinds[0]).toBe(CANCELLED)
    await until(() => told, 'the holder to be told')
    await other.engine.complete(held, Buffer.from('late'), 1)
    expect((await resultIn(space, 'c'))!.kinds[0]).toBe(CANCELLED)
    expect(await tickets.settle('c', Buffer.from('later'))).toBe(false)
    await tickets.open(terms('w'), request('w.1'))
    await worker.next()
    await tickets.open(terms('v'), request('v.1'))
    expect(await tickets.settle('v', null)).toBe(true)
    expect(await space.engine.renew('v.1', 1)).toBeNull()
  })

  test.each([3, 100_000])('whoever looks after it can settle it with %i bytes, once', async (size) => {
    const { space, other } = opened()
    const { tickets } = space.engine
    await tickets.open(terms('t'), { ...request('t.1'), kinds: ['takespace.Other'] })
    const body = Buffer.alloc(size, 's')
    expect(await other.engine.tickets.settle('t', body)).toBe(true)
    expect(await tickets.settle('t', Buffer.alloc(size, 'z'))).toBe(false)
    expect((await resultIn(space, 't'))!.body.equals(body)).toBe(true)
    expect(await tickets.settle('unknown', body)).toBe(false)
  })

  test('what is noted on it is seen by whoever asks, and told to whoever asked to be told', async () => {
    const { space, other } = opened()
    const { tickets } = space.engine
    const told: string[] = []
    const interest = (templates: Parameters<typeof progressTemplate>[0]) => ({
      templates: [progressTemplate(templates)],
      on: 'written' as const,
      leaseMs: 20_000,
      onEvent: ({ id, body }: { id: string; body: Buffer }) => void (body.length > 0 && told.push(`${id} ${body}`)),
      onMissed: () => {},
      onEnded: () => {},
    })
    await other.engine.notify(interest({ id: 't' }))
    await other.engine.notify(interest({ group: 'g' }))
    await tickets.open(terms('t'), request('t.1'))
    await tickets.open(terms('u', { group: 'g' }), { ...request('u.1'), kinds: ['takespace.Other'] })
    const worker = await hold(other)
    const delivery = await worker.next()
    expect(await other.engine.tickets.reportProgress(delivery, Buffer.from('half'))).toBe(true)
    expect(await tickets.recordProgress('u', Buffer.from('by hand'))).toBe(true)
    await until(() => told.length === 2, 'two notes')
    expect(told.sort()).toEqual(['t half', 'u by hand'])
    expect((await tickets.look('t'))!.progress.toString()).toBe('half')
    await space.declareDead(other.presence)
    expect(await other.engine.tickets.reportProgress(delivery, Buffer.from('more'))).toBe(false)
    await tickets.settle('u', Buffer.from(''))
    expect(await tickets.recordProgress('u', Buffer.from('late'))).toBe(false)
    expect(await tickets.recordProgress('unknown', Buffer.from(''))).toBe(false)
  })

  test('a ticket goes with its lease, and an outcome is kept from when it is there', async () => {
    const { space } = opened()
    const { tickets } = space.engine
    await tickets.open(terms('t', { leaseMs: 40, keptMs: 40 }), request('t.1', { leaseMs: 40 }))
    await until(async () => (await tickets.look('t')) === null, 'the ticket to go')
    expect(await tickets.open(terms('t', { leaseMs: 60_000, keptMs: 40 }), request('t.2'))).toBe('opened')
    await tickets.settle('t', Buffer.from('gone soon'))
    await until(async () => (await resultIn(space, 't', 0)) === null, 'the outcome to go')
    expect(await tickets.open(terms('t'), request('t.3'))).toBe('opened')
  })

  testInOnePartition('all tickets together keep within their bytes, and what goes makes room', async () => {
    const { space, other } = opened()
    const { tickets } = space.engine
    const open = (id: string) => tickets.open(terms(id, { maxBytes: 10_000, keptMs: 60_000 }), request(`${id}.1`))
    await open('a')
    const worker = await hold(other)
    await other.engine.complete(await worker.next(), Buffer.alloc(12_000), 1)
    await until(async () => (await tickets.look('a'))!.state === 'settled', 'a to be settled')
    await expect(open('b')).rejects.toMatchObject({ code: 'SPACE_FULL' })
    expect(await tickets.look('b')).toBeNull()
    expect((await space.engine.backlog({ kind: KIND, root: KIND, indexed: [], verified: [] })).count).toBe(0)
    await space.engine.cancel('a')
    expect(await open('b')).toBe('opened')
    await other.engine.complete(await worker.next(), Buffer.from('small'), 1)
    await resultIn(space, 'b')
    expect(await open('c')).toBe('opened')
  })

  testInOnePartition('a bounded space has no room for a ticket without its request', async () => {
    const { bounded } = opened()
    const space = await bounded({ maxEntries: 3 })
    const { tickets } = space.engine
    expect(await tickets.open(terms('a'), request('a.1'))).toBe('opened')
    await expect(tickets.open(terms('b'), request('b.1'))).rejects.toMatchObject({ code: 'SPACE_FULL' })
    expect(await tickets.look('b')).toBeNull()
  })
})
