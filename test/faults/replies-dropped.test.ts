/** Promises 2 and 8: requests reach Redis and its replies are lost. Each operation takes effect once, or its caller is told. */
import { describe, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { type HeldRequest, serveRequests } from '../../src/request.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, report } from './form.js'
import { creditOf, OK, outcomeOf, send } from './requests.js'

/** Half of them lose one reply and are cut, the others lose all that come for a while. */
const CUTS = form(12, 1_000)
const PER_CUT = 4

const Item = defineEntry<{ n: number; by: string }>('Item')

const at = overLink({ appendonly: true })

/** What became of an operation: its value, or `unknown` when its caller was told that nobody knows. */
async function told<T>(operation: Promise<T>): Promise<T | 'unknown'> {
  try {
    return await operation
  } catch (error) {
    if (isSpaceError(error, 'OUTCOME_UNKNOWN')) return 'unknown'
    throw error
  }
}

/** Runs `operate` each time a reply is about to be lost, until so many were; each round ends when its operations have. */
async function losingReplies(times: number, operate: (round: number) => Promise<unknown>): Promise<number> {
  const before = at.link.lost
  for (let round = 0; round < times; round++) {
    const lost = at.link.lost
    const dropped = round % 2 === 0 ? at.link.dropNextReplyThenCut() : undefined
    if (!dropped) at.link.dropReplies()
    const operations = operate(round)
    if (dropped) await dropped
    else {
      await until(() => at.link.lost > lost, 'a reply is lost')
      at.link.heal()
    }
    await operations
  }
  return at.link.lost - before
}

const everything = async (): Promise<{ n: number; by: string }[]> => {
  const all: { n: number; by: string }[] = []
  for (;;) {
    const item = await at.near.takeIfExists(Item)
    if (!item) return all
    all.push(item)
  }
}

const numbers = (round: number): number[] => Array.from({ length: PER_CUT }, (_, i) => round * PER_CUT + i)
const sorted = (list: Iterable<number>): number[] => [...list].sort((a, b) => a - b)

describe('while replies are lost', () => {
  test(
    'a write took effect exactly once, or at most once and its caller was told',
    async () => {
      const wrote: number[] = []
      const unknown = new Set<number>()
      const found: number[] = []
      // HeldRequest as they come: one that is written again would be found again.
      const enough = new AbortController()
      const { signal } = enough
      const taking = (async () => {
        for (;;) found.push((await at.near.take(Item, { signal })).n)
      })()
      taking.catch(() => {})
      const lost = await losingReplies(CUTS, (round) =>
        Promise.all(
          numbers(round).map(async (n) => {
            if ((await told(at.far.write(Item({ n, by: 'far' })))) === 'unknown') unknown.add(n)
            else wrote.push(n)
          }),
        ),
      )
      enough.abort()
      await expect(taking).rejects.toBe(signal.reason)
      found.push(...(await everything()).map(({ n }) => n))
      report('replies dropped, writes', { lost, written: wrote.length, unknown: unknown.size, found: found.length })
      expect(lost).toBeGreaterThanOrEqual(CUTS)
      expect(sorted(new Set(found))).toEqual(sorted(found))
      expect(sorted(found.filter((n) => !unknown.has(n)))).toEqual(sorted(wrote))
    },
    form(30_000, 240_000),
  )

  test(
    'a take has its entry, and no other taker has it, or its caller was told',
    async () => {
      let unknown = 0
      const took: number[] = []
      const missed: number[] = []
      const all: number[] = []
      const lost = await losingReplies(CUTS, async (round) => {
        const entries = numbers(round)
        all.push(...entries)
        await at.near.writeAll(entries.map((n) => Item({ n, by: 'near' })))
        await Promise.all(
          entries.map(async (n) => {
            const item = await told(at.far.takeIfExists(Item.template({ n })))
            if (item === 'unknown') unknown++
            else if (item) took.push(item.n)
            else missed.push(n)
          }),
        )
      })
      const left = (await everything()).map(({ n }) => n)
      report('replies dropped, takes', { lost, took: took.length, unknown, missed: missed.length, left: left.length })
      expect(lost).toBeGreaterThanOrEqual(CUTS)
      expect(missed).toEqual([])
      expect(sorted(new Set([...took, ...left]))).toEqual(sorted([...took, ...left]))
      expect(took.length + left.length).toBeGreaterThanOrEqual(all.length - unknown)
      expect(took.length + left.length).toBeLessThanOrEqual(all.length)
    },
    form(30_000, 240_000),
  )

  test(
    'a takeAll under a transaction has all that its commit removes, and nothing of it is gone when that fails',
    async () => {
      const COUNT = 150
      let committed = 0
      let undone = 0
      const lost = await losingReplies(CUTS / 2, async (round) => {
        const written = Array.from({ length: COUNT }, (_, i) => Item({ n: round * COUNT + i, by: 'near' }))
        await at.near.writeAll(written)
        const tx = await at.far.begin()
        const taken = await at.far.takeAll([Item], { max: COUNT, waitMs: 0, tx }).catch(() => [])
        const ended = await told(tx.commit()).catch(() => 'undone')
        const left = await everything()
        // Of a commit whose answer nobody knows either may be so.
        if (ended === 'unknown') return
        const mine = ended === 'undone' ? [] : taken
        expect(sorted([...mine, ...left].map(({ n }) => n))).toEqual(written.map(({ n }) => n))
        if (mine.length > 0) committed++
        else undone++
      })
      report('replies dropped, takeAll in transactions', { lost, committed, undone })
      expect(lost).toBeGreaterThanOrEqual(CUTS / 2)
      expect(committed).toBeGreaterThan(0)
    },
    form(60_000, 240_000),
  )

  test(
    'a take that waits is handed its entry, also when the hand-off itself is lost',
    async () => {
      const took: number[] = []
      let unknown = 0
      const lost = await losingReplies(CUTS, (round) => {
        const entries = numbers(round)
        const taken = entries.map((n) => told(at.far.take(Item.template({ n }), { waitMs: 10_000 })))
        // Of other processes, so handed over by a push; some before the loss, some while it goes on.
        const written = entries.map((n) => at.near.write(Item({ n, by: 'near' })))
        return Promise.all([
          ...written,
          ...taken.map(async (item) => {
            const got = await item
            // One that nobody handed over ends the test here, not after as many waits as there are rounds.
            expect(got).not.toBeNull()
            if (got === 'unknown') unknown++
            else if (got) took.push(got.n)
          }),
        ])
      })
      const left = (await everything()).map(({ n }) => n)
      report('replies dropped, waiting takes', { lost, took: took.length, unknown, left: left.length })
      expect(lost).toBeGreaterThanOrEqual(CUTS)
      expect(new Set(took).size).toBe(took.length)
      expect(left).toEqual([])
      expect(took.length + unknown).toBe(CUTS * PER_CUT)
    },
    form(30_000, 240_000),
  )

  test(
    'a worker runs each request once, each of its completions counts once, and so does its credit',
    async () => {
      const CONCURRENCY = PER_CUT
      const runs = new Map<string, number>()
      const held: HeldRequest[] = []
      let atOnce = 0
      let most = 0
      const serving = await serveRequests(at.far, 'web', CONCURRENCY, async (taken) => {
        const { target } = taken.request
        if (target.startsWith('/credit')) {
          held.push(taken)
          return
        }
        most = Math.max(most, ++atOnce)
        if (await taken.start()) runs.set(target, (runs.get(target) ?? 0) + 1)
        atOnce--
        await taken.complete(OK)
      })
      let asked = 0
      let answered = 0
      const lost = await losingReplies(CUTS, (round) =>
        Promise.all(
          numbers(round).map(async (n) => {
            asked++
            expect(await outcomeOf(send(at.near, `/${n}`, { repeatable: false }))).toBe('200')
            answered++
          }),
        ),
      )
      report('replies dropped, a worker', {
        lost,
        answered,
        'most at once': most,
        'run twice': [...runs.values()].filter((n) => n > 1).length,
      })
      expect(lost).toBeGreaterThanOrEqual(CUTS)
      expect(answered).toBe(asked)
      expect([...runs].filter(([, times]) => times !== 1)).toEqual([])
      expect(runs.size).toBe(asked)
      expect(most).toBeLessThanOrEqual(CONCURRENCY)
      expect(await creditOf(at.far, at.near, 'web', CONCURRENCY, held)).toBe(CONCURRENCY)
      await serving.stop()
    },
    form(30_000, 240_000),
  )

  test(
    'a requester has exactly one outcome for each request, and each ran at most once',
    async () => {
      const runs = new Map<string, number>()
      const outcomes = new Map<string, number>()
      const serving = await serveRequests(at.near, 'web', PER_CUT, async (taken) => {
        const { target } = taken.request
        if (await taken.start()) runs.set(target, (runs.get(target) ?? 0) + 1)
        expect(await taken.complete(OK)).toBe(true)
      })
      const ok: string[] = []
      const lost = await losingReplies(CUTS, (round) =>
        Promise.all(
          numbers(round).map(async (n) => {
            const outcome = await outcomeOf(send(at.far, `/${n}`, { repeatable: false }))
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
            if (outcome === '200') ok.push(`/${n}`)
          }),
        ),
      )
      report('replies dropped, a requester', { lost, ...Object.fromEntries(outcomes) })
      expect(lost).toBeGreaterThanOrEqual(CUTS)
      expect([...runs].filter(([, times]) => times > 1)).toEqual([])
      for (const target of ok) expect(runs.get(target)).toBe(1)
      expect([...outcomes.keys()].filter((outcome) => outcome !== '200' && outcome !== 'OUTCOME_UNKNOWN')).toEqual([])
      await serving.stop()
    },
    form(30_000, 240_000),
  )
})

test('afterwards nothing is left', async () => {
  await at.close()
  await nothingIsLeft(at.redis)
})

failOnLeaks()
