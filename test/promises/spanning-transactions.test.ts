/** Transactions that are begun for all partitions: all or nothing over all of them; in one partition they are as any other. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { defineEntry } from '../../src/entry.js'
import type { Transaction } from '../../src/space/transaction.js'
import type { Space } from '../../src/space.js'
import { laneOf } from '../partitions/spaces.js'
import { everyEngine } from '../support/every-engine.js'
import { Other } from '../support/kinds.js'
import { pending } from '../support/pending.js'
import { until } from '../support/until.js'

const Account = defineEntry<{ owner: string; balance: number }>('Account', { partition: 'owner' })
/** One owner in each of three partitions. */
const OWNERS = [laneOf(0, 3), laneOf(1, 3), laneOf(2, 3)] as const
const [ANN, BOB, CID] = OWNERS
const of = (owner: string) => Account.template({ owner })
const ALL = { span: 'all' } as const
const SHORT_MS = 800

everyEngine({ what: 'transactions over all partitions', partitions: 'redis' }, (opened) => {
  const open = (balance: number): Promise<unknown> =>
    Promise.all(OWNERS.map((owner) => opened().space.write(Account({ owner, balance }))))
  const balances = async (space: Space): Promise<(number | undefined)[]> =>
    Promise.all(OWNERS.map(async (owner) => (await space.readIfExists(of(owner)))?.balance))

  /** Moves an amount under a transaction. */
  async function move(space: Space, tx: Transaction, from: string, to: string, amount: number): Promise<void> {
    const source = await space.take(of(from), { tx })
    const target = await space.take(of(to), { tx })
    await space.write(Account({ ...source, balance: source.balance - amount }), { tx })
    await space.write(Account({ ...target, balance: target.balance + amount }), { tx })
  }

  test('what one takes and writes in several partitions is seen by nobody before its commit, and then by all', async () => {
    const { space, other } = opened()
    await open(10)
    const tx = await space.begin(ALL)
    await move(space, tx, ANN, BOB, 3)
    expect(await balances(other)).toEqual([undefined, undefined, 10])
    const inside = OWNERS.map(async (owner) => (await space.readIfExists(of(owner), { tx }))?.balance)
    expect(await Promise.all(inside)).toEqual([7, 13, 10])
    await tx.commit()
    expect(await balances(other)).toEqual([7, 13, 10])
  })

  test('an abort undoes it in all, and so does the end of its lease', async () => {
    const { space, other } = opened()
    await open(10)
    const tx = await space.begin(ALL)
    await move(space, tx, ANN, BOB, 3)
    await tx.abort()
    expect(await balances(other)).toEqual([10, 10, 10])
    const short = await space.begin({ ...ALL, leaseMs: 300 })
    await move(space, short, BOB, CID, 3)
    expect((await other.take(of(BOB))).balance + (await other.take(of(CID))).balance).toBe(20)
    await expect(short.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
  })

  test('a renewal holds in all partitions', async () => {
    const { space, other } = opened()
    await open(10)
    const tx = await space.begin({ ...ALL, leaseMs: 1_000 })
    await move(space, tx, ANN, CID, 1)
    await tx.renew(60_000)
    // Longer than its first lease.
    expect(await other.take(of(ANN), { waitMs: 1_500 })).toBeNull()
    await tx.commit()
    expect(await balances(other)).toEqual([9, 10, 11])
  })

  test('writes that are not awaited, several in one call, and of no partition are committed with it', async () => {
    const { space, other } = opened()
    await space.transact(async (tx) => {
      void space.writeAll(
        OWNERS.map((owner) => Account({ owner, balance: 1 })),
        { tx },
      )
      void space.write(Other({ id: 'beside' }), { tx })
    }, ALL)
    expect(await balances(other)).toEqual([1, 1, 1])
    expect(await other.take(Other, { waitMs: 0 })).toEqual({ id: 'beside' })
  })

  test('finds under it look into all partitions, one after the other, and contents list all', async () => {
    const { space, other } = opened()
    await open(1)
    const tx = await space.begin(ALL)
    await space.write(Account({ owner: ANN, balance: 2 }), { tx })
    const listed: number[] = []
    for await (const { balance } of space.contents(Account, { tx })) listed.push(balance)
    expect(listed.sort()).toEqual([1, 1, 1, 2])
    // What was listed under it is taken by nobody else.
    expect(await other.takeIfExists(Account)).toBeNull()
    expect((await space.takeAll([Account], { tx, max: 3, waitMs: 0 })).length).toBe(3)
    expect(await space.takeIfExists(Account, { tx })).toBeTruthy()
    expect(await space.takeIfExists(Account, { tx })).toBeNull()
    await tx.commit()
    expect(await balances(other)).toEqual([undefined, undefined, undefined])
  })

  test('a find that waits under it is given what comes in any partition, by others or under it', async () => {
    const { space, other } = opened()
    for (const owner of OWNERS) {
      const tx = await space.begin(ALL)
      const waiting = space.take(Account, { tx })
      expect(await pending(waiting, () => space.readIfExists(Other))).toBe(true)
      await other.write(Account({ owner, balance: 1 }))
      expect(await waiting).toEqual({ owner, balance: 1 })
      const own = space.read(Account, { tx })
      expect(await pending(own, () => space.readIfExists(Other))).toBe(true)
      await space.write(Account({ owner: CID, balance: 2 }), { tx })
      expect(await own).toEqual({ owner: CID, balance: 2 })
      const ended = space.take(Account.template({ balance: 3 }), { tx })
      expect(await pending(ended, () => space.readIfExists(Other))).toBe(true)
      await tx.abort()
      await expect(ended).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
      expect(await other.take(Account)).toEqual({ owner, balance: 1 })
    }
  })

  test('a registration under it is told of its writes in all partitions, and ends with it', async () => {
    const { space } = opened()
    const seen: string[] = []
    const tx = await space.begin(ALL)
    await space.notify([Account], ({ entry }) => seen.push((entry as { owner: string }).owner), { on: 'visible', tx })
    await Promise.all(OWNERS.map((owner) => space.write(Account({ owner, balance: 1 }), { tx })))
    expect(await space.read(Account, { tx })).toBeTruthy()
    await until(() => seen.length === 3, 'it is told of all')
    await tx.commit()
    await space.write(Account({ owner: ANN, balance: 2 }))
    expect(await balances(space)).toEqual([1, 1, 1])
    expect(seen.sort()).toEqual([...OWNERS].sort())
  })

  test('a commit that finds no room does nothing, and may be tried again', async () => {
    const { other } = opened()
    const space = await opened().bounded({ maxEntries: 3 })
    for (let n = 0; n < 3; n++) await Promise.all(OWNERS.map((owner) => other.write(Account({ owner, balance: n }))))
    const tx = await space.begin(ALL)
    // Makes room in one partition; another one has none.
    expect(await space.takeIfExists(of(BOB), { tx })).toBeTruthy()
    void space.write(Account({ owner: BOB, balance: 6 }), { tx })
    void space.write(Account({ owner: CID, balance: 6 }), { tx })
    await expect(tx.commit()).rejects.toMatchObject({ code: 'SPACE_FULL' })
    expect(await other.readIfExists(Account.template({ balance: 6 }))).toBeNull()
    expect(await other.takeAll([of(CID), of(ANN)], { waitMs: 0 })).toHaveLength(6)
    expect(await other.takeAll([of(BOB)], { waitMs: 0 })).toHaveLength(2)
    await tx.commit()
    const written = await other.takeAll([Account], { waitMs: 0 })
    expect(written.map(({ owner, balance }) => [owner, balance]).sort()).toEqual(
      [
        [BOB, 6],
        [CID, 6],
      ].sort(),
    )
  })

  test('one without effects, and one with effects in one partition, is committed as any other', async () => {
    const { space, other } = opened()
    await space.transact(() => {}, ALL)
    await space.transact((tx) => space.write(Account({ owner: BOB, balance: 1 }), { tx }), ALL)
    await space.transact((tx) => space.takeIfExists(Account, { tx }), ALL)
    expect(await other.readIfExists(Account)).toBeNull()
  })

  test('span is all or left out', async () => {
    const { space } = opened()
    await expect(space.begin({ span: 'both' as 'all' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('whatever is moved between partitions at once, the sum is the same for every reader under a transaction', async () => {
    const { space, other } = opened()
    const amount = fc.integer({ min: 0, max: 5 })
    const owner = fc.constantFrom(...OWNERS)
    const transfer = fc.record({ from: owner, to: owner, amount, ends: fc.constantFrom('commit', 'commit', 'abort') })
    const end = performance.now() + SHORT_MS
    const sumUnder = (reader: Space): Promise<number> =>
      reader.transact(async (tx) => {
        let sum = 0
        for (const each of OWNERS) sum += (await reader.read(of(each), { tx })).balance
        return sum
      }, ALL)
    await fc.assert(
      fc.asyncProperty(fc.array(transfer, { minLength: 2, maxLength: 8 }), async (transfers) => {
        if (performance.now() > end) return
        await open(10)
        const expected = new Map(OWNERS.map((each) => [each, 10]))
        const moves = transfers.map(async ({ from, to, amount, ends }, i) => {
          if (from === to) return
          const mover = i % 2 ? space : other
          const tx = await mover.begin(ALL)
          // In one order of owners, so that no two wait for each other.
          const order = OWNERS.filter((each) => each === from || each === to)
          const taken = new Map<string, number>()
          for (const each of order) taken.set(each, (await mover.take(of(each), { tx })).balance)
          for (const [each, by] of [
            [from, -amount],
            [to, amount],
          ] as const) {
            await mover.write(Account({ owner: each, balance: taken.get(each)! + by }), { tx })
          }
          if (ends === 'abort') return tx.abort()
          await tx.commit()
          expected.set(from, expected.get(from)! - amount)
          expected.set(to, expected.get(to)! + amount)
        })
        const sums = Promise.all([sumUnder(space), sumUnder(other), sumUnder(space)])
        await Promise.all(moves)
        expect(await sums).toEqual([30, 30, 30])
        expect(await balances(space)).toEqual(OWNERS.map((each) => expected.get(each)))
        for (const each of OWNERS) await space.take(of(each))
      }),
    )
  })
})
