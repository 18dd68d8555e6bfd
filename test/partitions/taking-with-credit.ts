/** Takers with credit in a space of several partitions: a program of random steps, and what must hold at each of them. */
import { expect } from '@jest/globals'
import fc from 'fast-check'
import type { Delivery, Offer } from '../../src/engine.js'
import { templateOf } from '../../src/entry/template.js'
import type { Space } from '../../src/space.js'
import { until } from '../support/until.js'
import { Keyed, laneOf } from './spaces.js'

type Step =
  | { readonly op: 'write'; readonly lane: number; readonly count: number }
  | { readonly op: 'complete' | 'release' | 'releaseSlot'; readonly taker: number }
  | { readonly op: 'settle' }

export interface Program {
  readonly partitions: number
  readonly credits: readonly number[]
  readonly steps: readonly Step[]
}

const taker = fc.nat({ max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('write' as const),
      lane: fc.nat({ max: 3 }),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('complete' as const), taker }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('release' as const, 'releaseSlot' as const), taker }) },
  { weight: 1, arbitrary: fc.constant({ op: 'settle' as const }) },
)

export const program = (partitions: fc.Arbitrary<number>): fc.Arbitrary<Program> =>
  fc.record({
    partitions,
    credits: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    steps: fc.array(step, { minLength: 1, maxLength: 40 }),
  })

/** A taker, and the deliveries that take its credit. */
class Taker {
  readonly #space: Space
  readonly #credit: number
  readonly #everyone: Set<string>
  readonly held: Delivery[] = []
  readonly done: string[] = []
  /** Deliveries whose slots were released. */
  readonly #lent = new Set<Delivery>()
  #offer: Offer | undefined
  /** The first thing that was wrong. */
  wrong: string | undefined

  constructor(space: Space, credit: number, everyone: Set<string>) {
    this.#space = space
    this.#credit = credit
    this.#everyone = everyone
  }

  async open(): Promise<void> {
    this.#offer = await this.#space.engine.offer(templateOf(Keyed).encoded, this.#credit, (delivery) => {
      if (this.#everyone.has(delivery.id)) this.wrong ??= `${delivery.id} has two holders`
      this.#everyone.add(delivery.id)
      this.held.push(delivery)
      const taken = this.held.filter((each) => !this.#lent.has(each)).length
      if (taken > this.#credit) this.wrong ??= `${taken} deliveries at a credit of ${this.#credit}`
    })
  }

  close(): Promise<void> {
    return this.#offer?.end() ?? Promise.resolve()
  }

  async act(op: 'complete' | 'release' | 'releaseSlot'): Promise<void> {
    const { engine } = this.#space
    const delivery = this.held[0]
    if (!delivery) return
    if (op === 'releaseSlot') {
      this.#lent.add(delivery)
      await engine.releaseSlot(delivery)
      return
    }
    this.held.shift()
    this.#everyone.delete(delivery.id)
    if (op === 'release') return engine.release(delivery)
    this.done.push(delivery.id)
    expect(await engine.complete(delivery, Buffer.alloc(0), 1)).toBe(true)
  }
}

/** Runs a program on the views of one space, one for each process. */
export async function run({ partitions, credits, steps }: Program, spaces: readonly Space[]): Promise<void> {
  const everyone = new Set<string>()
  const spaceOf = (i: number): Space => spaces[i % spaces.length] as Space
  const takers = credits.map((credit, i) => new Taker(spaceOf(i), credit, everyone))
  await Promise.all(takers.map((each) => each.open()))
  let written = 0
  for (const [i, each] of steps.entries()) {
    if (each.op === 'write') {
      const lane = laneOf(each.lane % partitions, partitions)
      for (let n = 0; n < each.count; n++) await spaceOf(i).write(Keyed({ id: `${written++}`, lane }))
    } else if (each.op === 'settle') {
      await spaceOf(i).engine.renew('nobody', 1)
    } else {
      await takers[each.taker % takers.length]!.act(each.op)
    }
    expect(takers.flatMap(({ wrong = [] }) => wrong)).toEqual([])
  }
  // Whatever is left is taken by someone, wherever it is.
  const count = (): number => takers.reduce((sum, { done }) => sum + done.length, 0)
  while (count() < written) {
    await until(() => takers.some(({ held }) => held.length > 0), `one of ${written - count()} is taken`, 10_000)
    await Promise.all(takers.map((each) => each.act('complete')))
    expect(takers.flatMap(({ wrong = [] }) => wrong)).toEqual([])
  }
  expect(new Set(takers.flatMap(({ done }) => done)).size).toBe(written)
  await Promise.all(takers.map((each) => each.close()))
}
