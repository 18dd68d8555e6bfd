/**
 * What conditions cost: `node bench/conditions.mjs [--large 1000000] [--takes 2000] [--waiting 10000]`. Takes by a condition
 * and writes the entry back, among 1,000 resident entries and among many, in turns: p50 and p99 in µs, and their ratio. Then
 * the time of a write past so many takers that wait with conditions for something else, and past none.
 */
import { parseArgs } from 'node:util'
import { absent, between, defineEntry, lte, oneOf, openSpace, ordered } from '../dist/src/index.js'
import { median } from './median.mjs'
import { startRedis } from './redis.mjs'

const options = parseArgs({
  options: {
    large: { type: 'string', default: '1000000' },
    takes: { type: 'string', default: '2000' },
    waiting: { type: 'string', default: '10000' },
  },
}).values
const SMALL = 1_000
const ROUNDS = 10
const PER_WRITE = 1_000
const TYPES = 100

const Job = defineEntry('Job', { index: ['type', 'owner', ordered('due')] })
/** A tenth is owned by nobody. */
const job = (n) =>
  Job({ n, type: `t${n % TYPES}`, due: (n * 7_919) % 1_000_003, owner: n % 10 === 0 ? undefined : `o${n % 50}` })
const TEMPLATES = {
  'one value': Job.template({ type: 't7' }),
  'oneOf five': Job.template({ type: oneOf('t1', 't2', 't3', 't4', 't5') }),
  absent: Job.template({ owner: absent() }),
  'what is due': Job.template({ due: lte(900_000) }),
  'a range': Job.template({ due: between(400_000, 500_000) }),
}

const redis = await startRedis({ aof: false })

async function filled(name, count) {
  const space = await openSpace(redis.url, { name })
  for (let from = 0; from < count; from += PER_WRITE) {
    await space.writeAll(Array.from({ length: Math.min(PER_WRITE, count - from) }, (_, i) => job(from + i)))
  }
  await redis.forgetSweep(name)
  return space
}

/** Returns the ms that each of so many takes took. */
async function takes(space, template, count) {
  const took = []
  for (let i = 0; i < count; i++) {
    const since = performance.now()
    const taken = await space.takeIfExists(template)
    took.push(performance.now() - since)
    if (!taken) throw new Error('nothing was taken')
    await space.write(taken)
  }
  return took
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
const micro = (ms) => String(Math.round(ms * 1_000)).padStart(6)

const small = await filled('small', SMALL)
const large = await filled('large', Number(options.large))
console.log(`µs of a take among ${SMALL} and ${options.large} entries: p50, p99; ratios`)
for (const [what, template] of Object.entries(TEMPLATES)) {
  const all = { small: [], large: [] }
  const share = Math.ceil(Number(options.takes) / ROUNDS)
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, space] of Object.entries({ small, large })) {
      const took = await takes(space, template, share)
      // The first round is thrown away.
      if (round > 0) all[name].push(...took)
    }
  }
  const [few, many] = Object.values(all).map((list) => list.sort((a, b) => a - b))
  const figures = [few, many].map((list) => `${micro(at(list, 0.5))} ${micro(at(list, 0.99))}`)
  const ratios = [0.5, 0.99].map((part) => (at(many, part) / at(few, part)).toFixed(2))
  console.log(`${what.padEnd(12)} ${figures.join('   ')}   ${ratios.join(' ')}`)
}
await Promise.all([small.close(), large.close()])

/** Returns the ms of each of some writes of an entry that is taken at once. */
async function writes(space, count) {
  const took = []
  for (let i = 0; i < count; i++) {
    const since = performance.now()
    await space.write(Job({ n: -1, type: 'written', due: 1_000_000 }))
    took.push(performance.now() - since)
    await space.takeIfExists(Job.template({ type: 'written' }))
  }
  return took
}

const quiet = await openSpace(redis.url, { name: 'quiet' })
const busy = await openSpace(redis.url, { name: 'busy' })
const stop = new AbortController()
const waits = Array.from({ length: Number(options.waiting) }, (_, i) =>
  busy.take(Job.template({ due: lte(i) }), { signal: stop.signal }).catch(() => {}),
)
await busy.readIfExists(Job)
const took = { quiet: [], busy: [] }
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, space] of Object.entries({ quiet, busy })) {
    const own = await writes(space, 100)
    if (round > 0) took[name].push(...own)
  }
}
const [past, none] = [median(took.busy), median(took.quiet)]
console.log(
  `µs of a write past ${options.waiting} takers, and past none: ${micro(past)} ${micro(none)}   ${(past / none).toFixed(2)}`,
)
stop.abort()
await Promise.all(waits)
await Promise.all([quiet.close(), busy.close()])
await redis.stop()
