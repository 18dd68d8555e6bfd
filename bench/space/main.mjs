/** `npm run bench:space`: what the space itself costs. Runs the parts on a Redis of its own, shows where it is on standard error, and prints tables at the end. */
import { parseArgs } from 'node:util'
import { Children } from '../children.mjs'
import { startRedis } from '../redis.mjs'
import { batch, handoff } from './handoff.mjs'
import { metrics } from './metrics.mjs'
import { pairs } from './pairs.mjs'
import { render, summarise } from './report.mjs'
import { resident } from './resident.mjs'
import { sessions } from './sessions.mjs'
import { programs, workers } from './transactions.mjs'
import { updates } from './updates.mjs'
import { waiters } from './waiters.mjs'

const PARTS = [pairs, metrics, resident, waiters, programs, updates, workers, handoff, batch, sessions]
const WARM_UP_MS = 1_000

const USAGE = `npm run bench:space -- [options]
  --only ${PARTS.map(({ name }) => name).join(',')}   some parts only
  --seconds N          measured in each run, after ${WARM_UP_MS / 1000} s of warm-up (default 3)
  --runs N             of which the median is printed (default 3; part metrics at least 6)
  --concurrency N      requests that a worker process of part metrics holds at a time (default 64)
  --entries N          that are resident in part resident (default 1000000)
  --aof                Redis with an append-only file, fsync every second
  --json               all samples and the summaries as JSON instead of tables
  --cpu-profile DIR    each process leaves a CPU profile in DIR; bench/profile.mjs reads them
`

function settings() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      runs: { type: 'string', default: '3' },
      concurrency: { type: 'string', default: '64' },
      entries: { type: 'string', default: '1000000' },
      aof: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'cpu-profile': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const integer = (name, max) => {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new Error(`--${name} is an integer from 1 to ${max}`)
    return value
  }
  const names = values.only?.split(',') ?? PARTS.map(({ name }) => name)
  const unknown = names.find((name) => !PARTS.some((part) => part.name === name))
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}`)
  return {
    ...values,
    parts: PARTS.filter(({ name }) => names.includes(name)),
    seconds: integer('seconds', 600),
    runs: integer('runs', 100),
    concurrency: integer('concurrency', 100_000),
    entries: integer('entries', 10_000_000),
  }
}

/** One line that keeps changing on a terminal, a line per run elsewhere. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`)
  else if (text) process.stderr.write(`${text}\n`)
}

async function measureAll(bench, parts) {
  const all = parts.map((part) => ({ part, steps: part.steps(bench), samples: [] }))
  const total = all.reduce((sum, { steps }) => sum + steps.length, 0)
  let done = 0
  for (const { part, steps, samples } of all) {
    for (const { contender, group, run, measure } of steps) {
      const what = `[${++done}/${total}] ${part.name}, ${group}, ${contender}, run ${run + 1}`
      if (process.stderr.isTTY) progress(`${what} …`)
      // One step may measure several, when what they need takes long to make.
      const measured = [await measure(bench)].flat().map((sample) => ({ contender, group, run, ...sample }))
      if (bench.aborted) return []
      samples.push(...measured)
      const invalid = measured.find(({ errors }) => errors > 0)
      const outcome = invalid ? `INVALID: ${invalid.firstError}` : `${Math.round(measured[0].perSecond)} a second`
      progress(`${what}: ${outcome}`)
    }
  }
  progress('')
  return all.map(({ part, samples }) => summarise(part, samples))
}

async function main({ parts, seconds, runs, concurrency, entries, aof, json, 'cpu-profile': profileFolder }) {
  const redis = await startRedis({ aof })
  const children = new Children(profileFolder)
  const bench = { redis, children, seconds, runs, concurrency, entries, warmUpMs: WARM_UP_MS, aborted: false }
  const abort = async () => {
    if (bench.aborted) process.exit(130)
    bench.aborted = true
    progress('')
    await children.end()
    await redis.stop()
    process.exit(130)
  }
  process.on('SIGINT', abort).on('SIGTERM', abort)
  try {
    const results = await measureAll(bench, parts)
    if (bench.aborted) return
    const server = `Redis ${redis.version}, ${aof ? 'AOF every second' : 'no persistence'}`
    const terms = `${runs} runs of ${seconds} s; Node ${process.versions.node}; ${server}`
    if (json) process.stdout.write(`${JSON.stringify({ terms, results }, null, 2)}\n`)
    else process.stdout.write(`${terms}\n\n${results.map(render).join('\n')}`)
    if (results.some(({ rows }) => rows.some(({ errors }) => errors > 0))) process.exitCode = 1
  } finally {
    if (!bench.aborted) await redis.stop()
  }
}

try {
  const given = settings()
  if (given.help) process.stdout.write(USAGE)
  else await main(given)
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`)
  process.exitCode = 1
}
