/** One run: a process that loads the others, what it measured, and the cores that each used meanwhile. */
import { heard } from './children.mjs'
import { countCores } from './cores.mjs'

/** On top of the time that is measured: warm-up, opening, draining. */
const AROUND_MS = 20_000

/** `start` starts what is to be measured; it returns the roles (role → process ids) and the driver, a process of bench/processes. */
export async function run({ redis, children, seconds }, start) {
  try {
    await redis.empty()
    const { roles, driver } = await start()
    const boundMs = AROUND_MS + seconds * 1000
    const measured = heard(driver, 'measured', boundMs)
    measured.catch(() => {})
    const measuring = heard(driver, 'measuring', boundMs)
    driver.send({ type: 'go' })
    await measuring
    const cores = countCores({ ...roles, redis: [redis.pid] })
    const { result } = await measured
    return { ...result, cores: cores() }
  } catch (error) {
    return { perSecond: 0, p50: 0, p99: 0, errors: 1, firstError: error.message, cores: {} }
  } finally {
    await children.end()
  }
}
