/** Promise 2: an entry is given to one taker, however many want it at once. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, report } from './form.js'

const ROUNDS = form(60, 1_000)
const TAKERS = 32
const CONTENDER = fileURLToPath(new URL('children/contender.js', import.meta.url))

const Prize = defineEntry<{ round: number }>('Prize')
const Over = defineEntry<{ round: number }>('Over')

let redis: Redis
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterAll(() => redis.stop())

test(`of 64 takers in two processes exactly one has the entry, in each of ${ROUNDS} rounds`, async () => {
  const space = await openSpace(redis.url)
  const contenders = [1, 2].map(() => startProcess([CONTENDER, redis.url, String(TAKERS), String(ROUNDS)]))
  let waited = 0
  const winsOf = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    // In every other round all of them wait already; in the others the entry comes while they come.
    if (round % 2 === 0) {
      await Promise.all(contenders.map((contender) => contender.line(new RegExp(`waiting ${round}\n`))))
      waited++
    }
    await space.write(Prize({ round }))
    await until(
      () => contenders.some((contender) => contender.output().includes(`won ${round}\n`)),
      'one of them has it',
    )
    const over = await space.write(Over({ round }))
    const wins = await Promise.all(
      contenders.map(async (contender) => Number((await contender.line(new RegExp(`over ${round} (\\d+)\n`)))[1])),
    )
    expect([round, wins.reduce((a, b) => a + b)]).toEqual([round, 1])
    for (const [i, won] of wins.entries()) winsOf[i] = (winsOf[i] as number) + won
    await over.cancel()
  }
  report('one entry, 64 takers', {
    rounds: ROUNDS,
    'all waiting before': waited,
    'won by each process': winsOf.join(' + '),
  })
  // The fault hit: both processes were in it.
  expect(Math.min(...winsOf)).toBeGreaterThan(0)
  for (const contender of contenders) expect(await contender.exited).toEqual({ code: 0, signal: null })
  expect(await space.readIfExists(Prize)).toBeNull()
  await space.close()
  await nothingIsLeft(redis)
})

failOnLeaks()
