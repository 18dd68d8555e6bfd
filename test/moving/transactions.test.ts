/** While a space moves, a transaction holds what is at either address, and all of it or nothing is done. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { everyMove, type Ground, openBoth, startMove } from './moving.js'

const Account = defineEntry<{ id: number; amount: number }>('Account')
const ACCOUNTS = 12
const EACH = 100

everyMove(
  'transactions in a space that moves',
  (start) => {
    let servers: Ground
    beforeAll(async () => {
      servers = await start()
    })
    afterAll(() => servers?.stop())

    test('transfers between accounts lose nothing, and a reader under a transaction sees every amount once', async () => {
      const name = 'accounts'
      const [a, b, c] = (await Promise.all([1, 2, 3].map(() => openBoth(servers, name)))) as [Space, Space, Space]
      for (let id = 0; id < ACCOUNTS; id++) await a.write(Account({ id, amount: EACH }))
      let isOver = false
      let transfers = 0
      let audits = 0
      const transfer = async (space: Space, round: number, step: number): Promise<void> => {
        const [from, to] = [(round * step) % ACCOUNTS, (round * step + 1 + (round % (ACCOUNTS - 1))) % ACCOUNTS]
        await using tx = await space.begin({ leaseMs: 30_000 })
        // In one order, so that no two wait for each other.
        const taken: { id: number; amount: number }[] = []
        for (const id of [from, to].sort((x, y) => x - y)) {
          const account = await space.take(Account.template({ id }), { tx, waitMs: 20_000 })
          if (!account) throw new Error(`account ${id} is missing`)
          taken.push(account)
        }
        for (const { id, amount } of taken) {
          await space.write(Account({ id, amount: amount + (id === from ? -1 : 1) }), { tx })
        }
        if (round % 5 === 0) await tx.abort()
        else await tx.commit()
        transfers++
      }
      const audit = async (): Promise<void> => {
        await using tx = await c.begin({ leaseMs: 30_000 })
        let sum = 0
        for (let id = 0; id < ACCOUNTS; id++) {
          const account = await c.read(Account.template({ id }), { tx, waitMs: 20_000 })
          sum += account?.amount ?? Number.NaN
        }
        expect(sum).toBe(ACCOUNTS * EACH)
        audits++
        await tx.commit()
      }
      const running = [
        (async () => {
          for (let round = 0; !isOver; round++) await transfer(a, round, 5)
        })(),
        (async () => {
          for (let round = 0; !isOver; round++) await transfer(b, round, 7)
        })(),
        (async () => {
          while (!isOver) await audit()
        })(),
      ]
      const move = await startMove(servers, name)
      await Promise.race([move.done, Promise.all(running)])
      const before = [transfers, audits]
      for (let round = 0; round < 10; round++) await transfer(c, round, 3)
      isOver = true
      await Promise.all(running)
      await audit()
      expect(Math.min(...before)).toBeGreaterThan(0)
      expect(await servers.left(a)).toBe(0)
      expect(await servers.violations(name)).toEqual([])
      await Promise.all([a, b, c].map((space) => space.close()))
    })
  },
  'servers',
)

failOnLeaks()
