/** Part (c): what metrics cost: `GET /` where gateway and workers have admin ports that are scraped, beside the same without any. */
import { fileURLToPath } from 'node:url'
import { throughSpace } from './http.mjs'
import { freePort } from './redis.mjs'
import { run } from './run.mjs'

/** What is looked for are a few percent: fewer pairs say nothing. */
const FEWEST_ROUNDS = 6
/** Longer than elsewhere: what a process compiles and loads for its first scrape is no cost of those that follow for days. */
const WARM_UP_MS = 4_000
const SCRAPE_EVERY_MS = 1_000
const SCRAPED_WITHIN_MS = 3_000
const APP = fileURLToPath(new URL('apps/plain.mjs', import.meta.url))

export const metrics = {
  name: 'metrics',
  title: 'GET / requests a second, admin ports scraped once a second (takespace), and none',
  steps: ({ runs }) => Array.from({ length: Math.max(runs, FEWEST_ROUNDS) }, (_, n) => round(n)).flat(),
  baselines: ['no admin port'],
}

/** Both, in turns the one and the other first. */
function round(n) {
  const group = '(req, res) app'
  const both = [
    { contender: 'takespace', group, run: n, measure: scraped },
    { contender: 'no admin port', group, run: n, measure: unscraped },
  ]
  return n % 2 === 0 ? both : both.reverse()
}

const warm = (bench) => ({ ...bench, warmUpMs: WARM_UP_MS })

const unscraped = (bench) => run(bench, () => throughSpace(warm(bench), 'plain', APP))

/** The supervisor's port answers for both worker processes. A scrape that fails makes the run invalid. */
async function scraped(bench) {
  const ports = { gateway: await freePort(), workers: await freePort() }
  const flags = (port) => ['--admin-port', String(port)]
  const admin = { gateway: flags(ports.gateway), workers: flags(ports.workers) }
  const scrapes = []
  let timer
  const sample = await run(bench, async () => {
    const system = await throughSpace(warm(bench), 'plain', APP, admin)
    timer = setInterval(() => scrapes.push(scrape(ports.gateway), scrape(ports.workers)), SCRAPE_EVERY_MS)
    // run() ends the processes when it has measured; what is asked after that fails for no fault of theirs.
    system.driver.on('message', ({ type }) => type === 'measured' && clearInterval(timer))
    return system
  })
  clearInterval(timer)
  const failures = (await Promise.all(scrapes)).filter((failure) => failure !== undefined)
  if (scrapes.length < 2 * bench.seconds) failures.push(`only ${scrapes.length} scrapes`)
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
