/** Systems of different sizes that stand at the same time, each in a space of its own, and are measured in turns. */
import { figure } from '../../answer/table.mjs'
import { measure } from '../../run.mjs'

/** What a process compiles and loads in the first turn is no cost of what it does for days. */
const THROWN_AWAY = 1

/**
 * Returns the samples of a group. A size that cannot be started or measured is an invalid sample, and the others go on.
 * @param start resolves to `{ driver, roles }` of a size
 */
export async function inTurns({ redis, seconds, runs }, group, sizes, start) {
  await redis.empty()
  const samples = []
  const systems = new Map()
  const fail = (size, error) => {
    systems.delete(size)
    samples.push({ group, contender: figure(size, 0), values: {}, errors: 1, firstError: error.message })
  }
  for (const size of sizes) {
    await start(size).then(
      (system) => systems.set(size, system),
      (error) => fail(size, error),
    )
  }
  for (let turn = 0; turn < runs + THROWN_AWAY; turn++) {
    const all = [...systems]
    const found = new Map()
    for (const [size, system] of turn % 2 === 0 ? all : all.reverse()) {
      await measure({ redis, seconds }, system, { seconds }).then(
        (measured) => found.set(size, { ...measured, values: costsOf(measured) }),
        (error) => fail(size, error),
      )
    }
    if (turn >= THROWN_AWAY) samples.push(...samplesOf(group, found, turn - THROWN_AWAY))
  }
  return samples
}

/** µs of processor time per operation, of Redis and of all processes, beyond what these use while idle. @param idle role → cores */
export function costsOf({ perSecond, p50, cores }, idle = {}) {
  const each = (role) => (1e6 * (cores[role] - (idle[role] ?? 0))) / perSecond
  const all = Object.keys(cores).reduce((sum, role) => sum + each(role), 0)
  return { perSecond, p50, redis: each('redis'), cpu: all }
}

/** @param found size → measurement, of one turn */
export const samplesOf = (group, found, run) =>
  [...found]
    .sort(([a], [b]) => a - b)
    .map(([size, measured]) => ({ group, contender: figure(size, 0), run, ...measured }))
