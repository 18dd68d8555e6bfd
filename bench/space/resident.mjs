/** Part resident: takes by a template while a million entries are there, beside the same while a thousand are. */
import { heard } from '../children.mjs'

const MOST = 1.5
const FEW = 1_000
const TEMPLATES = ['one indexed field', 'two indexed fields', 'a field of the parent kind']
/** The whole part ends within this; with fewer entries on a slower machine. */
const BOUND_MS = 240_000

const few = `${FEW.toLocaleString('en')} resident`
const MANY = 'many resident'

export const resident = {
  name: 'resident',
  title:
    'an entry taken by a template and written back, a second, 1 in flight, entries of 20 kinds resident (4 extend another)',
  steps: () => [{ contender: MANY, group: 'all', run: 0, measure }],
  baselines: [],
  costs: TEMPLATES.map((group) => ({ group, of: MANY, against: few, atMost: MOST })),
}

/** One process fills two spaces of one server once, and goes to and fro between them. */
async function measure({ redis, children, entries, seconds }) {
  try {
    await redis.empty()
    const { url, pid } = redis
    const options = { url, redisPid: pid, entries, few: FEW, seconds, names: [few, MANY], templates: TEMPLATES }
    const driver = await children.fork('resident', 'resident', options)
    const measured = heard(driver, 'measured', BOUND_MS)
    driver.send({ type: 'go' })
    return (await measured).result
  } catch (error) {
    return { perSecond: 0, p50: 0, p99: 0, errors: 1, firstError: error.message, cores: {} }
  } finally {
    await children.end()
    await redis.empty()
  }
}
