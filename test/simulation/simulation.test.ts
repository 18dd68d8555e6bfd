/**
 * Gateways and workers under chance: kills, cut links, pauses, delays, deploys; one seed is one run, and can be run again:
 * SIMULATED_SEEDS=1000 for more of them, SIMULATED_SEED=17 for one with its story.
 */
import { expect, test } from '@jest/globals'
import { report } from '../faults/form.js'
import { type Simulated, simulate } from './simulate.js'

const SEEDS = Number(process.env.SIMULATED_SEEDS ?? 24)
const ONLY = process.env.SIMULATED_SEED

test('a seed is one run: the same story each time', async () => {
  const [first, second] = [await simulate(7), await simulate(7)]
  expect(first.story).toBe(second.story)
  expect(first.story).not.toBe((await simulate(8)).story)
})

test('each request has one answer by its deadline, that of its own run; no POST is run twice; nothing is left', async () => {
  const sum = { seeds: 0, requests: 0, runs: 0, kills: 0, cuts: 0, pauses: 0, 200: 0, 502: 0, 503: 0, 504: 0 }
  const violated: Record<number, readonly string[]> = {}
  const from = performance.now()
  for (let seed = ONLY ? Number(ONLY) : 1; seed <= (ONLY ? Number(ONLY) : SEEDS); seed++) {
    const simulated: Simulated = await simulate(seed)
    if (ONLY) process.stdout.write(`${simulated.story}\n`)
    sum.seeds++
    for (const key of ['requests', 'runs', 'kills', 'cuts', 'pauses'] as const) sum[key] += simulated[key]
    for (const key of [200, 502, 503, 504] as const) sum[key] += simulated.statuses[key] ?? 0
    if (simulated.violations.length > 0) violated[seed] = simulated.violations
  }
  report('simulated', { ...sum, seconds: Math.round((performance.now() - from) / 100) / 10 })
  expect(violated).toEqual({})
  // Chance has shown what it can do.
  if (ONLY) return
  expect(sum.kills).toBeGreaterThan(SEEDS / 4)
  expect(sum.cuts).toBeGreaterThan(SEEDS / 4)
  expect(sum[502]).toBeGreaterThan(0)
  expect(sum[504]).toBeGreaterThan(0)
  expect(sum.runs).toBeGreaterThan(sum[200])
}, 300_000)
