/** While a space moves, no find misses an entry that is there, and none is found twice: random programs of several processes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import type { Space } from '../../src/space.js'
import { form } from '../faults/form.js'
import { change } from '../promises/session-changes.js'
import { failOnLeaks } from '../support/leaks.js'
import { everyMove, type Ground, openBoth, startMove } from './moving.js'

const Fixed = defineEntry<{ id: string }>('Fixed')
const Own = defineEntry<{ owner: string; n: number }>('Own')
const Keyed = defineEntry<{ owner: string; n: number }>('Keyed', { partition: 'owner' })
const Shared = defineEntry<{ id: string }>('Shared')
const Filler = defineEntry<{ id: number }>('Filler')
/** So many that the move takes a while. */
const FILLERS = form(600, 4_000)
const Ping = defineEntry<{ to: string; n: number }>('Ping')

/** Runs `step` again and again until the move is over, and a few times more. */
async function whileMoving(isOver: () => boolean, step: (round: number) => Promise<void>): Promise<number> {
  let after = 0
  let round = 0
  while (after < 20) {
    await step(round++)
    if (isOver()) after++
  }
  return round
}

everyMove(
  'finds in a space that moves',
  (start) => {
    let servers: Ground
    beforeAll(async () => {
      servers = await start()
    })
    afterAll(() => servers?.stop())

    test('what is there is found by reads and takes that do not wait, and by those that wait; each entry is taken once', async () => {
      const name = 'finds'
      const spaces = await Promise.all([openBoth(servers, name), openBoth(servers, name), openBoth(servers, name)])
      const [a, b, c] = spaces as [Space, Space, Space]
      for (let i = 0; i < 20; i++) await a.write(Fixed({ id: `${i}` }))
      for (let i = 0; i < FILLERS / 100; i++)
        await a.writeAll(Array.from({ length: 100 }, (_, j) => Filler({ id: i * 100 + j })))
      let isOver = false
      const over = (): boolean => isOver
      const missed: string[] = []
      const written = new Set<string>()
      const taken: string[] = []
      const programs = [
        ...spaces.map((space, i) =>
          whileMoving(over, async (round) => {
            const id = `${(round * 7 + i) % 20}`
            if (!(await space.readIfExists(Fixed.template({ id })))) missed.push(`read ${id} in round ${round}`)
          }),
        ),
        // Nobody else takes these: each is there when it is asked for.
        ...spaces.flatMap((space, i) =>
          [Own, Keyed].map((kind) =>
            whileMoving(over, async (round) => {
              const owner = `${i}.${round % 3}`
              if (round < 3) return void (await space.write(kind({ owner, n: 0 })))
              const own = await space.takeIfExists(kind.template({ owner }))
              if (!own) missed.push(`take ${kind.kind} ${owner} in round ${round}`)
              else await space.write(kind({ owner, n: own.n + 1 }))
            }),
          ),
        ),
        // A session of each process counts. One that never rests would not move.
        ...spaces.map((space, i) =>
          whileMoving(over, async (round) => {
            const saved = round - (round % 20)
            const loaded = await space.engine.sessions.load(`$${i}`)
            const [last, due] = [loaded?.attributes.get('n')?.text, round === saved ? round - 20 : saved]
            if (round > 0 && last !== `${due}`) missed.push(`session ${i} in round ${round} has ${last}`)
            if (round === saved)
              await space.engine.sessions.save(`$${i}`, change({ n: `${round}` }, { isNew: round === 0 }))
          }),
        ),
        // One waits for the other.
        ...(
          [
            [a, 'b', 'a'],
            [b, 'a', 'b'],
          ] as const
        ).map(([space, to, own], i) =>
          whileMoving(over, async (round) => {
            if (i === 0) await space.write(Ping({ to, n: round }))
            const ping = await space.take(Ping.template({ to: own }), { waitMs: 20_000 })
            if (!ping) missed.push(`a ping to ${own} in round ${round}`)
            else if (i === 1) await space.write(Ping({ to, n: ping.n }))
          }),
        ),
        whileMoving(over, async (round) => {
          written.add(`${round}`)
          await b.write(Shared({ id: `${round}` }))
        }),
        ...[a, c].map((space) =>
          whileMoving(over, async () => {
            const entry = await space.takeIfExists(Shared)
            if (entry) taken.push(entry.id)
          }),
        ),
      ]
      const move = await startMove(servers, name)
      await move.done.finally(() => {
        isOver = true
      })
      // Of the two that wait for each other, one may end first.
      const last = setInterval(() => void b.write(Ping({ to: 'b', n: -1 })).catch(() => {}), 100)
      const ends = setInterval(() => void b.write(Ping({ to: 'a', n: -1 })).catch(() => {}), 100)
      const rounds = await Promise.all(programs)
      clearInterval(last)
      clearInterval(ends)
      for (let entry = await c.takeIfExists(Shared); entry; entry = await c.takeIfExists(Shared)) taken.push(entry.id)
      expect(missed).toEqual([])
      expect(Math.min(...rounds)).toBeGreaterThan(20)
      expect(taken.length).toBe(new Set(taken).size)
      expect(new Set(taken)).toEqual(written)
      const left: number[] = []
      for await (const filler of c.contents(Filler)) left.push(filler.id)
      // In order within each partition.
      expect(left.toSorted((x, y) => x - y)).toEqual(Array.from({ length: FILLERS }, (_, i) => i))
      expect(move.progress.some(({ step, moved }) => step === 'moving' && moved > FILLERS)).toBe(true)
      await Promise.all(spaces.map((space) => space.close()))
    })
  },
  'servers',
)

failOnLeaks()
