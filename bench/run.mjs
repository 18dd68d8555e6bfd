/** One run: a process that loads the others, what it measured, and the cores that each used meanwhile. */
import { heard } from './children.mjs'
import { countCores } from './machine/cores.mjs'
import { countForeign } from './machine/foreign.mjs'

/** On top of the time that is measured: warm-up, opening, draining. */
const AROUND_MS = 20_000

/** `start` starts what is to be measured; it returns the roles (role → process ids) and the driver, a process of bench/processes. */
export async function run(bench, start) {
  try {
    await bench.redis.empty()
    return await measure(bench, await start())
  } catch (error) {
    return failed(error)
  } finally {
    await bench.children.end()
  }
}

/** Measures a started system once. `terms` override what the driver was started with, such as `inFlight`. */
export async function measure({ redis, seconds }, { roles, driver }, terms = {}) {
  const boundMs = AROUND_MS + seconds * 1000
  const measured = heard(driver, 'measured', boundMs)
  measured.catch(() => {})
  const measuring = heard(driver, 'measuring', boundMs)
  measuring.catch(() => {})
  driver.send({ type: 'go', ...terms })
  await measuring
  const cores = countCores({ ...roles, ...(redis && { redis: [redis.pid] }) })
  const foreign = countForeign()
  const { result } = await measured
  return { ...result, cores: cores(), foreign: foreign() }
}

export const failed = (error) => ({ perSecond: 0, p50: 0, p99: 0, errors: 1, firstError: error.message, cores: {} })
