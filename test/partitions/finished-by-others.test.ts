/**
 * A transaction over several partitions is all or nothing whatever becomes of the process that commits it, and of the servers: what that
 * process leaves between two steps is finished by another one.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { PartitionedEngine } from '../../src/engines/partitions/index.js'
import { KEYS } from '../../src/engines/redis/key-names.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { SpaceError } from '../../src/errors.js'
import { Space } from '../../src/space.js'
import { isLong } from '../faults/form.js'
import { bundled } from '../support/bundled.js'
import { describeOnRedis } from '../support/every-engine.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { membersInMemory, membersOnRedis, partitionedInMemory } from '../support/partitioned.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { type CommitStep, stepped } from '../support/stepped.js'
import { until } from '../support/until.js'
import { moveAll, openAccounts, outcomeOf } from './accounts.js'
import { worldsOf } from './spaces.js'

/** prepare, prepare, decide, settle, settle, forget, forget. */
const DECIDE = 2
const STEPS = 7
const NAMES = ['span/0', 'span/1', 'span/2'] as const
/** What a transaction that has not ended is in. */
const HOLDING = [KEYS.prepared, KEYS.decisions, KEYS.transactions]

describeOnRedis('with a server for each partition', () => {
  let servers: Redis[]
  let space: Space
  let program: string
  const children: Process[] = []
  beforeAll(async () => {
    const durable = { appendonly: true, appendfsync: 'always' } as const
    servers = await Promise.all(NAMES.map(() => startRedis(durable)))
    space = await open()
    program = await bundled(fileURLToPath(new URL('children/coordinator.ts', import.meta.url)))
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  afterAll(async () => {
    await space.close()
    await Promise.all(servers.map((server) => server.stop()))
  })

  const urls = (): string[] => servers.map(({ url }) => url)
  /** A view of the space that calls `before` ahead of each step of its commits. */
  const open = async (before: (step: CommitStep) => Promise<void> = async () => {}): Promise<Space> =>
    new Space(new PartitionedEngine(stepped(await membersOnRedis(urls(), NAMES), before)), 'redis')

  /** A process that makes each transfer, and stops ahead of a step. */
  function coordinator(transfers: Readonly<Record<string, number>>): Process {
    const list = Object.entries(transfers).map(([transfer, stopAt]) => ({ transfer, stopAt }))
    const task = JSON.stringify({ urls: urls(), names: NAMES, transfers: list })
    const child = startProcess([program, task])
    children.push(child)
    return child
  }

  /** Nothing is prepared, nothing is recorded, and every partition is in order. */
  const nothingIsHeld = (): Promise<void> =>
    until(async () => {
      for (const [i, server] of servers.entries()) {
        const { prefix } = keysOf(NAMES[i]!)
        const held = await server.cli('EXISTS', ...HOLDING.map(({ name }) => `${prefix}${name}`))
        if (held !== '0') return false
        expect(await violations(server, NAMES[i])).toEqual([])
      }
      return true
    }, 'nothing is held')

  test('killed between any two steps of its commit, and another process finishes what it has decided, or undoes it', async () => {
    const transfers = Array.from({ length: STEPS + 1 }, (_, stopAt) => `killed at ${stopAt}`)
    for (const transfer of transfers) await openAccounts(space, transfer)
    const child = coordinator(Object.fromEntries(transfers.map((transfer, stopAt) => [transfer, stopAt])))
    for (const [stopAt, transfer] of transfers.entries())
      await child.line(new RegExp(`^${transfer}: ${stopAt < STEPS ? 'stopped' : 'committed'}$`, 'm'))
    child.kill('SIGKILL')
    const outcomes = await Promise.all(transfers.map((transfer) => outcomeOf(space, transfer)))
    expect(outcomes).toEqual(transfers.map((_, stopAt) => (stopAt <= DECIDE ? 'nothing' : 'all')))
    await nothingIsHeld()
  })

  test('killed after the decision, and the counters of all partitions are damaged meanwhile', async () => {
    await openAccounts(space, 'damaged')
    const child = coordinator({ damaged: DECIDE + 1 })
    await child.line(/^damaged: stopped$/m)
    for (const [i, server] of servers.entries()) await server.cli('SET', keysOf(NAMES[i]!).counters, 'damaged')
    child.kill('SIGKILL')
    expect(await outcomeOf(space, 'damaged')).toBe('all')
    await nothingIsHeld()
  })

  test('killed while a server is frozen, whichever it is', async () => {
    for (const [i, server] of servers.entries()) {
      if (i > 0 && !isLong) continue
      const [stopped, going] = [`${i} stopped`, `${i} going`]
      for (const transfer of [stopped, going]) await openAccounts(space, transfer)
      const child = coordinator({ [stopped]: DECIDE, [going]: -1 })
      await child.line(/going: committing$/m)
      server.pause()
      child.kill('SIGKILL')
      server.resume()
      // By chance; never by half.
      for (const transfer of [stopped, going]) await outcomeOf(space, transfer)
    }
    await nothingIsHeld()
  })

  /** Runs a transfer whose commit meets `at` ahead of one step; then `after`. Returns what its process and others see. */
  async function meets(
    transfer: string,
    step: number,
    at: () => Promise<void>,
    after: () => Promise<void> = async () => {},
  ): Promise<readonly [told: string, outcome: string]> {
    const own = await open(async ({ n }) => {
      if (n === step) await at()
    })
    try {
      await openAccounts(space, transfer)
      const transfers = own.transact((tx) => moveAll(own, tx, transfer), { span: 'all', leaseMs: 30_000 })
      const told = await transfers.then(
        () => 'committed',
        (error) => String(error.code),
      )
      await after()
      return [told, await outcomeOf(space, transfer)]
    } finally {
      await own.close()
    }
  }

  const restarted = (server: Redis) => async (): Promise<void> => {
    await server.kill()
    await server.restart()
  }

  test('a server that is killed and restarted ahead of any step', async () => {
    for (const step of isLong ? [0, 1, DECIDE, DECIDE + 1, DECIDE + 2] : [1, DECIDE + 1]) {
      for (const [i, server] of servers.entries()) {
        if (i === 2 && !isLong) continue
        const transfer = `restart of ${i} at ${step}`
        const [told, outcome] = await meets(transfer, step, restarted(server))
        if (told === 'committed') expect([transfer, outcome]).toEqual([transfer, 'all'])
        else if (told !== 'OUTCOME_UNKNOWN') expect([transfer, outcome]).toEqual([transfer, 'nothing'])
      }
    }
    await nothingIsHeld()
  })

  test('a partition that is lost before its part is prepared: nothing; after the decision: it commits when it is back', async () => {
    const [, lost] = servers as [Redis, Redis, Redis]
    const gone = async (): Promise<void> => {
      await lost.kill()
      await until(() => !space.engine.isReachable, 'it is known to be away')
    }
    const back = (): Promise<void> => lost.restart()
    expect(await meets('lost early', 0, gone, back)).toEqual(['SPACE_UNREACHABLE', 'nothing'])
    expect(await meets('lost late', DECIDE + 1, gone, back)).toEqual(['committed', 'all'])
    await nothingIsHeld()
  })
})

test('in memory: a process that is taken for dead ahead of any step', async () => {
  for (let step = 0; step < STEPS; step++) {
    const worlds = worldsOf(3)
    const space = new Space(partitionedInMemory(worlds), 'memory')
    const members = membersInMemory(worlds)
    const stops = new Promise<void>((resolve) => {
      const own = new Space(
        new PartitionedEngine(
          stepped(members, async ({ n }) => {
            if (n !== step) return
            resolve()
            await new Promise(() => {})
          }),
        ),
        'memory',
      )
      void openAccounts(space, 'one').then(() => own.transact((tx) => moveAll(own, tx, 'one'), { span: 'all' }))
    })
    await stops
    for (const world of worlds) world.forget(members[0]!.presence)
    expect(await outcomeOf(space, 'one')).toBe(step <= DECIDE ? 'nothing' : 'all')
    await space.close()
  }
})

test('in memory: a part that gives no answer before the decision: nothing was done, whatever became of that part', async () => {
  for (const step of [0, 1]) {
    const worlds = worldsOf(3)
    const space = new Space(partitionedInMemory(worlds), 'memory')
    const unanswered = async ({ n }: CommitStep): Promise<void> => {
      if (n === step) throw new SpaceError('OUTCOME_UNKNOWN')
    }
    const own = new Space(new PartitionedEngine(stepped(membersInMemory(worlds), unanswered)), 'memory')
    await openAccounts(space, 'one')
    const transfer = own.transact((tx) => moveAll(own, tx, 'one'), { span: 'all' })
    await expect(transfer).rejects.toMatchObject({ code: 'SPACE_UNREACHABLE', cause: { code: 'OUTCOME_UNKNOWN' } })
    expect(await outcomeOf(space, 'one')).toBe('nothing')
    await Promise.all([own.close(), space.close()])
  }
})

failOnLeaks()
