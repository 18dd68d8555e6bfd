/** Part (c): what metrics cost: `GET /` where gateway and workers have admin ports that are scraped, beside the same without any. */
import { fileURLToPath } from 'node:url'
import { throughSpace } from '../http.mjs'
import { freePort } from '../redis.mjs'
import { inTurns } from './turns.mjs'

/** A few percent are looked for. */
const FEWEST_TURNS = 24
const SCRAPE_EVERY_MS = 1_000
const SCRAPED_WITHIN_MS = 3_000
const APP = fileURLToPath(new URL('../apps/plain.mjs', import.meta.url))
const WITH = 'takespace'
const WITHOUT = 'no admin port'

export const metrics = {
  name: 'metrics',
  title: 'GET / requests a second, admin ports scraped once a second (takespace), and none',
  steps: ({ runs }) => [step(Math.max(runs, FEWEST_TURNS))],
  baselines: [WITHOUT],
}

function step(turns) {
  const ports = []
  const start = async (bench, hasPorts) => {
    if (hasPorts) ports.push(await freePort(), await freePort())
    const [gateway, workers] = hasPorts ? ports.map((port) => ['--admin-port', String(port)]) : [[], []]
    const space = ['--name', bench.name]
    const flags = { gateway: [...space, ...gateway], workers: [...space, ...workers] }
    return throughSpace(bench, `plain-${hasPorts ? 'with' : 'without'}`, APP, flags)
  }
  const around = (contender, loaded) => (contender === WITH ? scraped(ports, loaded) : loaded())
  return inTurns({ group: '(req, res) app', forms: { [WITH]: true, [WITHOUT]: false }, turns, start, around })
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
