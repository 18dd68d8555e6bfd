/** A space gets other partitions on the Cluster that it is on, back and forth: everything is where a process looks that knows the new ones alone. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import type { TicketTerms } from '../../src/engine/tickets.js'
import { carryingOf } from '../../src/engines/redis/carrying.js'
import { RedisEngine } from '../../src/engines/redis/index.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { type Carrying, Mover } from '../../src/engines/redis/mover.js'
import type { MovingEngine } from '../../src/engines/redis/moving.js'
import { PHASE } from '../../src/engines/redis/protocol.js'
import { rightsOf } from '../../src/engines/redis/roles.js'
import { templateOf } from '../../src/entry/template.js'
import { defineEntry } from '../../src/entry.js'
import { silent } from '../../src/log.js'
import { openSpace } from '../../src/open.js'
import { createScheduler, queueNameOf } from '../../src/scheduler.js'
import type { Lease } from '../../src/space/lease.js'
import { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { form } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { change } from '../promises/session-changes.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import { describeOnRedis } from '../support/every-engine.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'
import { beginMoving, startMove } from './moving.js'

const Item = defineEntry<{ id: number; lane: string }>('Item', { partition: 'lane' })
const Special = Item.extend<{ more: { deep: number } }>('Special')
const Structured = defineEntry<{ of: { a: string }; n: number }>('Structured', { index: ['n'], partition: 'of' })
const Plain = defineEntry<{ id: number }>('Plain')
const LARGE = 'x'.repeat(5_000)
const LANES = 8
const EACH = 10

describeOnRedis('a space that gets other partitions', () => {
  let cluster: Cluster
  const opened: Space[] = []
  beforeAll(async () => {
    cluster = await startCluster({ primaries: 2, replicas: 0 })
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((space) => space.close()))
  })
  afterAll(() => cluster?.stop())

  const open = async (name: string, partitions?: number, next?: number): Promise<Space> => {
    const nextUrl = next === undefined ? undefined : `${cluster.url}?partitions=${next}`
    const space = await openSpace(cluster.url, { name, partitions, nextUrl, durability: 'memory' })
    opened.push(space)
    return space
  }
  const move = async (name: string, next: number): Promise<Space> => {
    const space = await open(name, undefined, next)
    const { done } = await startMove({ old: cluster, fresh: { url: `${cluster.url}?partitions=${next}` } }, name)
    await done
    return space
  }
  /** The names of all keys of a space, and what is wrong with its partitions. */
  async function seen(name: string, count: number, generation: number): Promise<{ keys: string[]; wrong: string[] }> {
    const nodes = await cluster.primaries()
    const lists = await Promise.all(nodes.map((node) => node.cli('KEYS', `{ts:${name}*`)))
    const keys = lists.flatMap((list) => list.split('\n')).filter((key) => key !== '')
    const wrong = Array.from({ length: count }, async (_, index) => {
      const own = keysOf(name, { index, count, generation })
      return violations(await cluster.ownerOf(own.counters), name, own)
    })
    return { keys, wrong: (await Promise.all(wrong)).flat() }
  }

  test('finds all by key, id, session and ticket after each of several moves, and leaves nothing behind', async () => {
    const name = 'resized'
    const first = await open(name, 2)
    const leases = new Map<string, Lease>()
    for (let id = 0; id < LANES * EACH; id++) {
      const lane = `lane ${id % LANES}`
      const make = id % 3 === 0 ? Special({ id, lane, more: { deep: id } }) : Item({ id, lane })
      leases.set(`${id}`, await first.write(make, { leaseMs: 600_000 }))
    }
    for (let n = 0; n < 12; n++) await first.write(Structured({ of: { a: `${n % 4}` }, n }))
    for (let id = 0; id < 40; id++) leases.set(`plain ${id}`, await first.write(Plain({ id }), { leaseMs: 600_000 }))
    for (let i = 0; i < 20; i++) {
      await first.engine.sessions.save(`$${i}`, change({ a: i % 5 === 0 ? LARGE : `${i}` }, { isNew: true }))
      expect(await first.engine.tickets.open(ticketTerms(`t${i}`), ticketRequest(`t${i}`))).toBe('opened')
      if (i % 2 === 0) await first.engine.tickets.settle(`t${i}`, Buffer.from(`out ${i}`))
    }
    await expect(open(name, 3)).rejects.toMatchObject({ code: 'PARTITIONS_DIFFER' })
    await first.close()

    for (const [round, count] of form([5, 3], [5, 1, 3, 4]).entries()) {
      const both = await move(name, count)
      expect((both.engine as MovingEngine).phase).toBe('moved')
      const alone = await open(name)
      await expect(open(name, count + 1)).rejects.toMatchObject({ code: 'PARTITIONS_DIFFER' })
      // A process that is restarted with both addresses, and one that asks for the number that it has.
      for (const again of [await open(name, count), await open(name, count, count)]) {
        expect(await again.readIfExists(Plain.template({ id: 7 }))).toEqual({ id: 7 })
      }
      for (let lane = 0; lane < LANES; lane++) {
        const template = Item.template({ lane: `lane ${lane}` })
        const ids: number[] = []
        for await (const item of alone.contents(template)) ids.push(item.id)
        expect(ids).toEqual(Array.from({ length: EACH }, (_, i) => i * LANES + lane))
        expect(await alone.readIfExists(template)).toMatchObject({ lane: `lane ${lane}` })
      }
      for (let n = 0; n < 4; n++) {
        const template = Structured.template({ of: { a: `${n}` } })
        expect(await alone.takeAll([template], { waitMs: 0 })).toHaveLength(3)
        for (let i = 0; i < 3; i++) await alone.write(Structured({ of: { a: `${n}` }, n: i }))
      }
      // What was written before any move, by its id.
      for (const [id, lease] of leases) {
        expect([id, (await alone.engine.renew(lease.id, 500_000 + round)) !== null]).toEqual([id, true])
      }
      expect(await alone.engine.sessions.count()).toBe(20)
      for (let i = 0; i < 20; i++) {
        const loaded = await alone.engine.sessions.load(`$${i}`)
        expect(loaded?.attributes.get('a')?.text).toBe(i % 5 === 0 ? LARGE : `${i}`)
        const state = i % 2 === 0 ? 'settled' : 'waiting'
        expect(await alone.engine.tickets.look(`t${i}`)).toMatchObject({ state })
      }
      await both.close()
      await Promise.all(opened.splice(0).map((space) => space.close()))
      const { keys, wrong } = await seen(name, count, round + 1)
      expect(wrong).toEqual([])
      const old = keys.filter((key) => !key.startsWith(`{ts:${name}/${round + 1}/`))
      expect(old.filter((key) => !/:(m|move|partitions)$/.test(key))).toEqual([])
    }
    const last = await open(name)
    expect(await last.takeAll([Item], { max: 1_000, waitMs: 0 })).toHaveLength(LANES * EACH)
    expect(await last.takeAll([Plain], { max: 1_000, waitMs: 0 })).toHaveLength(40)
  })

  test('answers all requests, and loses and doubles nothing, while it moves with the rights of its roles', async () => {
    const name = 'loaded'
    for (const node of await cluster.primaries()) {
      for (const role of ['program', 'mover'] as const) {
        const terms = { space: name, database: 0, loads: true, seeds: 'cluster' } as const
        const rights = [...rightsOf(role, terms), ...(role === 'program' ? rightsOf('scheduler', terms) : [])]
        await node.cli('ACL', 'SETUSER', role, 'reset', 'on', '>secret', ...rights)
      }
    }
    const as = (role: string, count: number): string =>
      `${cluster.url.replace('://', `://${role}:secret@`)}?partitions=${count}`
    const join = async (): Promise<Space> => {
      const terms = { name, nextUrl: as('program', 5), durability: 'memory' } as const
      const space = await openSpace(as('program', 2), terms)
      opened.push(space)
      return space
    }
    const [a, b] = [await join(), await join()]
    const worker = createWorker({
      space: b,
      app: (_: unknown, res: { end(text: string): void }) => res.end('served'),
      tasks: { double: (n: number) => 2 * n },
    })
    await worker.start()
    const client = createClient({ space: a })
    const scheduler = createScheduler({ space: b, stopTimeoutMs: 500 })
    await scheduler.start()
    const early = await client.enqueue('double', 4)
    const later = await client.enqueue('double', 7, { delayMs: 3_000 })
    const failures: unknown[] = []
    const [written, taken] = [new Set<number>(), [] as number[]]
    let [isOver, rounds, id] = [false, 0, 0]
    const whileMoving = async (step: () => Promise<unknown>): Promise<void> => {
      while (!isOver) await step().catch((error) => failures.push(error))
    }
    const running = [
      whileMoving(async () => {
        expect(await (await client.fetch('/', { timeoutMs: 30_000 })).text()).toBe('served')
        rounds++
      }),
      whileMoving(async () =>
        expect(await (await client.enqueue('double', rounds)).result()).toBeGreaterThanOrEqual(0),
      ),
      whileMoving(async () => {
        written.add(++id)
        await a.write(Item({ id, lane: `lane ${id % LANES}` }))
      }),
      whileMoving(async () => {
        const item = await b.takeIfExists(Item.template({ lane: `lane ${(taken.length * 3) % LANES}` }))
        if (item) taken.push(item.id)
        else await b.takeIfExists(Item).then((other) => other && taken.push(other.id))
      }),
    ]
    const { done } = await startMove({ old: { url: as('mover', 2) }, fresh: { url: as('mover', 5) } }, name)
    await done
    const before = rounds
    await until(() => rounds > before + 20, 'requests go on')
    isOver = true
    await Promise.all(running)
    expect(failures).toEqual([])
    expect(await later.result()).toBe(14)
    await Promise.all([worker.stop(), scheduler.stop()])
    const alone = await open(name)
    for (const { id: left } of await alone.takeAll([Item], { max: 100_000, waitMs: 0 })) taken.push(left)
    expect(taken.toSorted((x, y) => x - y)).toEqual([...written])
    expect(await createClient({ space: alone }).ticket(early.id).result()).toBe(8)
  })

  test('a transaction that a killed process left between new partitions is ended by another one', async () => {
    const name = 'left'
    const both = await open(name, 2, 3)
    await beginMoving(both)
    await until(() => (both.engine as MovingEngine).phase === 'moving', 'it follows')
    const partition = { index: 0, count: 3, generation: 1 }
    const terms = {
      name,
      durability: 'memory',
      connectTimeoutMs: 5_000,
      logger: silent,
      bounds: {},
      access: {},
    } as const
    const killed = await RedisEngine.open(cluster.url, { ...terms, partition, isMoving: true })
    const { id } = await new Space(killed, name).write(Plain({ id: 1 }))
    const tx = killed.begin(60_000, () => {})
    expect(await killed.find({ template: templateOf(Plain).encoded, take: true, waitMs: 0, tx })).toMatchObject({ id })
    await killed.twoPhase.prepare(tx, { partition: 1_024 + 2, tx: `${killed.presence}.none` })
    expect(await both.readIfExists(Plain, { waitMs: 0 })).toBeNull()
    await killed.close()
    expect(await both.read(Plain, { waitMs: 20_000 })).toEqual({ id: 1 })
  })

  test('a number that nothing has moved to yet may be replaced by another; later it may not', async () => {
    const name = 'replaced'
    const former = await open(name, 2, 3)
    const both = await open(name, undefined, 4)
    expect(await (both.engine as MovingEngine).old[0]!.setPhase(PHASE.moving, '4/2')).toEqual([former.presence])
    await former.close()
    await beginMoving(both)
    await expect(open(name, undefined, 3)).rejects.toMatchObject({ code: 'PARTITIONS_DIFFER' })
    await expect(open(name)).rejects.toMatchObject({ code: 'SPACE_MOVES' })
    expect(((await open(name, undefined, 4)).engine as MovingEngine).phase).toBe('moving')
  })

  for (const end of ['moving', 'queue', 'settle'] as const) {
    testInLongForm(`another mover ends what one left that was killed at its step ${end}`, async () => {
      const name = `ended at ${end}`
      const both = await open(name, 2, 3)
      await both.writeAll(Array.from({ length: 200 }, (_, id) => Plain({ id })))
      const engine = both.engine as MovingEngine
      const nextUrl = `${cluster.url}?partitions=3`
      const terms = { name, connectTimeoutMs: 5_000, access: {}, url: cluster.url, nextUrl, queue: queueNameOf(name) }
      const killed = new Error('killed')
      const die = (): Promise<never> => Promise.reject(killed)
      const carrying: Carrying = {
        ...carryingOf(engine, terms),
        ...((end === 'queue' || end === 'settle') && { [end]: die }),
      }
      const onProgress = ({ phase }: { readonly phase: string }): void => {
        if (phase === end) throw killed
      }
      await expect(new Mover(engine, carrying, onProgress).run()).rejects.toThrow(killed)
      if (end === 'settle') await expect(open(name)).rejects.toMatchObject({ code: 'SPACE_MOVES' })
      expect(await both.readIfExists(Plain.template({ id: 100 }))).toEqual({ id: 100 })
      await move(name, 3)
      const alone = await open(name)
      const taken = await alone.takeAll([Plain], { max: 1_000, waitMs: 0 })
      expect(taken.map(({ id }) => id).toSorted((x, y) => x - y)).toEqual(Array.from({ length: 200 }, (_, id) => id))
      await Promise.all(opened.splice(0).map((space) => space.close()))
      const { keys, wrong } = await seen(name, 3, 1)
      expect(wrong).toEqual([])
      const old = keys.filter((key) => !/\/1\/\d|:(m|move|partitions)$/.test(key))
      expect(old).toEqual([])
    })
  }
})

const ticketTerms = (id: string): TicketTerms => ({
  id,
  fingerprint: 'p',
  leaseMs: 600_000,
  keptMs: 600_000,
  maxBytes: 1 << 20,
})

const ticketRequest = (id: string) => ({
  id: `${id}.1`,
  kinds: ['takespace.Task'],
  indexed: ['service=s:web'],
  verified: [],
  body: Buffer.from('in'),
  leaseMs: 600_000,
  priority: 0,
  request: { repeatable: true, maxDeliveries: 3 },
})

failOnLeaks()
