/** A mover that ends between any two of its steps leaves nothing behind: any process, or another mover, ends the batch. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import type { TicketTerms } from '../../src/engine/tickets.js'
import type { Movable, Moves } from '../../src/engines/redis/moves.js'
import type { MovingEngine } from '../../src/engines/redis/moving.js'
import { defineEntry } from '../../src/entry.js'
import type { Space } from '../../src/space.js'
import { change } from '../promises/session-changes.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { beginMoving, everyMove, type Ground, openBoth, startMove } from './moving.js'

const Item = defineEntry<{ id: string; body?: string }>('Item')

/** What a mover sends from an old partition to a new one. */
interface Batch {
  readonly name: string
  readonly from: Moves
  readonly to: Moves
  readonly items: readonly Movable[]
}

const arrive = ({ name, from, to, items }: Batch): Promise<void> => to.arrive(name, items, from)
const depart = ({ name, from, items }: Batch): Promise<readonly string[]> => from.depart(name, items)
const land = async ({ name, from, to }: Batch): Promise<void> => to.land(name, await from.depart(name, []))
const forget = ({ name, from }: Batch): Promise<void> => from.forgetDeparture(name)

everyMove(
  'a move that is interrupted',
  (start) => {
    let servers: Ground
    let name: string
    let space: Space
    let other: Space
    let count = 0
    beforeAll(async () => {
      servers = await start()
    })
    beforeEach(async () => {
      name = `interrupted ${++count}`
      space = await openBoth(servers, name)
      other = await openBoth(servers, name)
    })
    afterEach(async () => {
      await Promise.all([space.close(), other.close()])
      expect(await servers.violations(name)).toEqual([])
    })
    afterAll(() => servers?.stop())

    const engineOf = (of: Space): MovingEngine => of.engine as MovingEngine

    /** Everything that may be moved, as a mover sends it. */
    async function batches(): Promise<Batch[]> {
      const { old, fresh, destinations } = engineOf(space)
      const made = old.map(async (from, index) => {
        const pages = [await from.page('movable', '0'), await from.page('movableSessions', '0')]
        const items = pages.flatMap((page) => page.items)
        const ofEach = fresh.map((to, i) => {
          const own = items.filter((item) => destinations.of(item) === i)
          return { name: `${index}/1/batch${i}`, from, to, items: own }
        })
        return ofEach.filter((batch) => batch.items.length > 0)
      })
      return (await Promise.all(made)).flat()
    }

    const inEach = async <T>(all: readonly Batch[], step: (batch: Batch) => Promise<T>): Promise<T[]> =>
      Promise.all(all.map(step))
    const arriving = async (): Promise<number> =>
      (await Promise.all(engineOf(space).fresh.map((moves) => moves.arriving()))).flat().length

    const steps = ['arrive', 'depart', 'land', 'forget'] as const

    test.each(steps)('after the step %s is ended by a process that serves', async (last) => {
      await space.writeAll([Item({ id: 'small' }), Item({ id: 'large', body: 'x'.repeat(5_000) })])
      await space.engine.sessions.save('$s', change({ a: '1' }, { isNew: true }))
      await beginMoving(space)
      const all = await batches()
      expect(all.flatMap(({ items }) => items.map(({ id }) => id))).toContain('$s')
      const run = {
        arrive: () => inEach(all, arrive),
        depart: async () => expect((await inEach(all, depart)).flat()).toHaveLength(3),
        land: () => inEach(all, land),
        forget: () => inEach(all, forget),
      }
      for (const step of steps.slice(0, steps.indexOf(last) + 1)) await run[step]()
      await until(() => engineOf(other).phase === 'moving', 'the other process follows')
      // What it looks for may be on its way.
      expect(await other.engine.sessions.load('$s')).toMatchObject({ attributes: new Map([['a', expect.anything()]]) })
      expect(await other.readIfExists(Item.template({ id: 'large' }))).toEqual({ id: 'large', body: 'x'.repeat(5_000) })
      expect(await other.readIfExists(Item.template({ id: 'small' }))).toEqual({ id: 'small' })
      await until(async () => (await arriving()) === 0, 'nothing is on its way')
      expect(await space.engine.sessions.count()).toBe(1)
      expect(await space.takeAll([Item], { waitMs: 0 })).toHaveLength(2)
      // The mover was slow, not dead: it moves nothing any more.
      for (const batch of all) await batch.to.land(batch.name, await depart(batch))
      expect(await space.readIfExists(Item)).toBeNull()
    })

    test('is ended by the next mover, and two movers at once move each entry once', async () => {
      await space.writeAll(Array.from({ length: 500 }, (_, i) => Item({ id: `${i}` })))
      const moves = await Promise.all([startMove(servers, name), startMove(servers, name)])
      await until(() => moves.some(({ progress }) => progress.some(({ moved }) => moved > 0)), 'some have moved')
      moves[0].stop()
      // The other one may have ended the move by now, for both.
      await moves[0].done.catch((error) => expect(error.message).toBe('stopped'))
      await moves[1].done
      const taken = await other.takeAll([Item], { max: 1_000, waitMs: 0 })
      expect(new Set(taken.map(({ id }) => id)).size).toBe(500)
      expect(taken).toHaveLength(500)
    })

    test('what is changed or held meanwhile stays until the next time', async () => {
      await space.writeAll([Item({ id: 'taken' }), Item({ id: 'renewed' }), Item({ id: 'held' })])
      const lease = await space.write(Item({ id: 'lease' }), { leaseMs: 30_000 })
      await space.engine.sessions.save('$s', change({ a: '1' }, { isNew: true }))
      await beginMoving(space)
      const all = await batches()
      await inEach(all, arrive)
      expect(await other.takeIfExists(Item.template({ id: 'taken' }))).toEqual({ id: 'taken' })
      await lease.renew(60_000)
      await other.engine.sessions.save('$s', change({ a: '2' }))
      const tx = await other.begin()
      expect(await other.take(Item.template({ id: 'held' }), { tx })).toEqual({ id: 'held' })
      expect((await inEach(all, depart)).flat()).toHaveLength(1)
      await inEach(all, land)
      expect(await space.readIfExists(Item.template({ id: 'renewed' }))).toEqual({ id: 'renewed' })
      expect((await space.engine.sessions.load('$s'))?.attributes.get('a')?.text).toBe('2')
      await tx.abort()
      const move = await startMove(servers, name)
      await move.done
      const left = await space.takeAll([Item], { waitMs: 0 })
      expect(left.map(({ id }) => id).sort()).toEqual(['held', 'lease', 'renewed'])
    })

    test('a ticket is opened once, whichever phase its processes follow', async () => {
      const terms = (id: string): TicketTerms => ({
        id,
        fingerprint: 'p',
        leaseMs: 20_000,
        keptMs: 20_000,
        maxBytes: 1 << 20,
      })
      const request = (id: string) => ({
        id,
        kinds: ['takespace.Task'],
        indexed: ['service=s:web'],
        verified: [],
        body: Buffer.from('in'),
        leaseMs: 20_000,
        priority: 0,
        request: { repeatable: true, maxDeliveries: 3 },
      })
      let opened = 0
      let isMoving = false
      const both = async (i: number): Promise<void> => {
        const openings = await Promise.all(
          [space, other].map((by, n) => by.engine.tickets.open(terms(`t${i}`), request(`t${i}.${n}`))),
        )
        expect(openings.sort()).toEqual(['busy', 'opened'])
        opened++
      }
      const opening = (async () => {
        for (let i = 0; !isMoving; i++) await both(i)
      })()
      await until(() => opened > 20, 'tickets are opened')
      await beginMoving(space)
      await until(() => engineOf(space).phase === 'moving' && engineOf(other).phase === 'moving', 'both follow')
      isMoving = true
      await opening
      for (let i = 0; i < opened; i++)
        expect(await other.engine.tickets.open(terms(`t${i}`), request(`t${i}.9`))).toBe('busy')
      const move = await startMove(servers, name)
      await move.done
      for (let i = 0; i < opened; i++)
        expect(await space.engine.tickets.look(`t${i}`)).toMatchObject({ state: 'waiting' })
    })
  },
  'servers',
)

failOnLeaks()
