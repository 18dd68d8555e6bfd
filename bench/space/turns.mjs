/**
 * Contenders that stand at the same time, each in a space of its own on one server, and are loaded in turns: a shared machine drifts by more
 * from one minute to the next than what is looked for.
 */
import { failed, measure } from '../run.mjs'

/** What a process compiles and loads at first is no cost of what it does for days. */
const THROWN_AWAY = 1
/** Between two turns; the process is warm. */
const WARM_UP_MS = 300

/**
 * One step that measures all of `forms`, `turns` times each, forwards and backwards. `start(bench, form)` starts one and returns its roles
 * and its driver; `around`, if there is one, is given the contender and what loads it.
 */
export const inTurns = ({ group, forms, turns, start, around = (_contender, loaded) => loaded() }) => ({
  contender: 'in turns',
  group,
  run: 0,
  measure: (bench) => measureAll({ ...bench, warmUpMs: WARM_UP_MS }, { group, forms, turns, start, around }),
})

async function measureAll(bench, { group, forms, turns, start, around }) {
  try {
    await bench.redis.empty()
    const systems = []
    for (const [contender, form] of Object.entries(forms)) {
      systems.push({ contender, system: await start({ ...bench, name: `bench-${systems.length}` }, form) })
    }
    const samples = []
    for (let run = 0; run < turns + THROWN_AWAY; run++) {
      for (const { contender, system } of run % 2 === 0 ? systems : [...systems].reverse()) {
        const sample = await around(contender, () => measure(bench, system))
        samples.push({ ...sample, contender, group, run })
      }
    }
    return samples.filter(({ run, errors }) => run >= THROWN_AWAY || errors > 0)
  } catch (error) {
    return failed(error)
  } finally {
    await bench.children.end()
  }
}
