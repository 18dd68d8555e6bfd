/**
 * Part (c): what metrics cost: `GET /` where gateway and workers have admin ports that are scraped, beside the same without any. A few
 * percent are looked for, and a shared machine drifts by more from one minute to the next: so both stand at the same time, each in a space
 * of its own on one server, and are loaded in turns, first the one, then the other.
 */
import { fileURLToPath } from 'node:url'
import { throughSpace } from './http.mjs'
import { freePort } from './redis.mjs'
import { failed, measure } from './run.mjs'

const FEWEST_TURNS = 24
/** What a process compiles and loads for its first requests and scrapes is no cost of those that follow for days. */
const THROWN_AWAY = 2
const WARM_UP_MS = 500
const SCRAPE_EVERY_MS = 1_000
const SCRAPED_WITHIN_MS = 3_000
const APP = fileURLToPath(new URL('apps/plain.mjs', import.meta.url))
const GROUP = '(req, res) app'
const WITH = 'takespace'
const WITHOUT = 'no admin port'

export const metrics = {
  name: 'metrics',
  title: 'GET / requests a second, admin ports scraped once a second (takespace), and none',
  steps: ({ runs }) => [{ contender: 'both', group: GROUP, run: 0, measure: (bench) => both(bench, runs) }],
  baselines: [WITHOUT],
}

async function both(bench, runs) {
  try {
    await bench.redis.empty()
    const ports = [await freePort(), await freePort()]
    const [gateway, workers] = ports.map((port) => ['--admin-port', String(port)])
    const systems = {
      [WITH]: await start(bench, WITH, { gateway, workers }),
      [WITHOUT]: await start(bench, 'without', { gateway: [], workers: [] }),
    }
    const samples = []
    const turns = Math.max(runs, FEWEST_TURNS) + THROWN_AWAY
    for (let turn = 0; turn < turns; turn++) {
      const order = turn % 2 === 0 ? [WITH, WITHOUT] : [WITHOUT, WITH]
      for (const contender of order) {
        const loaded = () => measure(bench, systems[contender])
        const sample = await (contender === WITH ? scraped(ports, loaded) : loaded())
        samples.push({ ...sample, contender, run: turn })
      }
    }
    return samples.filter(({ run, errors }) => run >= THROWN_AWAY || errors > 0)
  } catch (error) {
    return failed(error)
  } finally {
    await bench.children.end()
  }
}

function start(bench, name, { gateway, workers }) {
  const apart = ['--name', name]
  const flags = { gateway: [...apart, ...gateway], workers: [...apart, ...workers] }
  return throughSpace({ ...bench, warmUpMs: WARM_UP_MS }, `plain-${name}`, APP, flags)
}

/** The supervisor's port answers for both worker processes. A scrape that fails makes the sample invalid. */
async function scraped(ports, loaded) {
  const scrapes = []
  const timer = setInterval(() => scrapes.push(...ports.map(scrape)), SCRAPE_EVERY_MS)
  const sample = await loaded().finally(() => clearInterval(timer))
  const failures = (await Promise.all(scrapes)).filter((failure) => failure !== undefined)
  if (scrapes.length === 0) failures.push('no scrape')
  if (failures.length === 0) return sample
  return { ...sample, errors: sample.errors + failures.length, firstError: sample.firstError ?? failures[0] }
}

/** What went wrong, if anything did. */
async function scrape(port) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(SCRAPED_WITHIN_MS) })
    const text = await response.text()
    return response.status === 200 && text.includes('takespace_') ? undefined : `/metrics answered ${response.status}`
  } catch (error) {
    return `/metrics: ${error.message}`
  }
}
