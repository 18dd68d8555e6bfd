/**
 * What much in a space costs: `node bench/large-spaces.mjs [FOLDER] [--entries 100000] [--waiting 10000] [--on memory,redis]`. Takes
 * and listings among many resident entries, writes past many waits, waits for what transactions hold, and searches after
 * many kinds, in memory and on Redis. With the folder of another build each figure is measured there, too, right after this
 * one. Microseconds are medians.
 */
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './median.mjs'
import { startRedis } from './redis.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    entries: { type: 'string', default: '100000' },
    waiting: { type: 'string', default: '10000' },
    on: { type: 'string', default: 'memory,redis' },
    only: { type: 'string', default: '' },
  },
})
const ENTRIES = Number(options.entries)
const WAITING = Number(options.waiting)
const PER_WRITE = 1_000
const TYPES = 100
/** A figure is given up after this. */
const LONGEST_MS = 10_000

const here = fileURLToPath(new URL('..', import.meta.url))
const builds = { this: here, ...(positionals[0] && { other: resolve(positionals[0]) }) }

/** Returns the median µs of so many calls, or of those within LONGEST_MS. */
async function each(count, call) {
  const took = []
  const until = performance.now() + LONGEST_MS
  for (let i = 0; i < count && performance.now() < until; i++) {
    const since = performance.now()
    await call(i)
    took.push((performance.now() - since) * 1_000)
  }
  return `${median(took).toFixed(1)} µs`
}

const ms = (since) => `${(performance.now() - since).toFixed(1)} ms`

/** Starts so many calls that wait, and returns how to end them. */
async function waitingFor(count, call, asked) {
  const stop = new AbortController()
  const waits = Array.from({ length: count }, (_, i) => call(i, stop.signal).catch(() => {}))
  await asked()
  return async () => {
    stop.abort()
    await Promise.all(waits)
  }
}

/** A kind, and its space with so many entries. */
async function filled({ defineEntry, ordered }, space, count) {
  const Job = defineEntry('Job', { index: ['n', 'type', ordered('due')] })
  for (let from = 0; from < count; from += PER_WRITE) {
    const some = Array.from({ length: Math.min(PER_WRITE, count - from) }, (_, i) => from + i)
    await space.writeAll(some.map((n) => Job({ n, type: `t${n % TYPES}`, due: (n * 7_919) % 1_000_003 })))
  }
  await redis?.forgetSweep(space.name)
  return Job
}

const rewritten = async (space, template) => {
  const taken = await space.takeIfExists(template)
  if (!taken) throw new Error('nothing was taken')
  await space.write(taken)
}

/** The figures, each with what it is of; `open` opens a new space. */
const FIGURES = {
  'take by id and write back': async (api, space) => {
    const Job = await filled(api, space, ENTRIES)
    return each(500, (i) => rewritten(space, Job.template({ n: (i * 7_919) % ENTRIES })))
  },
  'take by one of 100 types and write back': async (api, space) => {
    const Job = await filled(api, space, ENTRIES)
    return each(500, (i) => rewritten(space, Job.template({ type: `t${i % TYPES}` })))
  },
  'take what is due first and write back': async (api, space) => {
    const Job = await filled(api, space, ENTRIES)
    return each(500, () => rewritten(space, Job.template({ due: api.lte(900_000) })))
  },
  'contents of a tenth of the entries': (api, space) => contents(api, space, ENTRIES / 10),
  'contents of all entries': (api, space) => contents(api, space, ENTRIES),
  'write past no waits': async (api, space) => writesPast(await filled(api, space, 0), space),
  'write past takers with range conditions': async (api, space) => {
    const Job = await filled(api, space, 0)
    const take = (i, signal) => space.take(Job.template({ due: api.lte(i) }), { signal })
    const end = await waitingFor(WAITING, take, () => space.readIfExists(Job))
    const took = await writesPast(Job, space)
    await end()
    return took
  },
  'write past takers by id': async (api, space) => {
    const Job = await filled(api, space, 0)
    const take = (i, signal) => space.take(Job.template({ n: i }), { signal })
    const end = await waitingFor(WAITING, take, () => space.readIfExists(Job))
    const took = await writesPast(Job, space)
    await end()
    return took
  },
  'write past takers of a sixth shape': async (api, space) => {
    const Wide = api.defineEntry('Wide')
    const shapes = [{ a: 1 }, { b: 1 }, { c: 1 }, { d: 1 }, { e: 1 }].map((fields) => Wide.template(fields))
    const take = (i, signal) => space.take(shapes[i] ?? Wide.template({ area: 'x', id: i }), { signal })
    const end = await waitingFor(WAITING, take, () => space.readIfExists(Wide))
    const took = await each(200, async () => {
      await space.write(Wide({ area: 'x', id: -1 }))
    })
    await end()
    return took
  },
  'null of takeIfExists after the lease of the held match': async (api, space) => {
    const Held = api.defineEntry('Held')
    const tx = await space.begin({ leaseMs: 60_000 })
    const lease = await space.write(Held({ id: 1 }), { leaseMs: 1_000 })
    await space.take(Held, { tx })
    await space.takeIfExists(Held, { waitMs: 30_000 })
    const late = Date.now() - lease.expiresAt
    await tx.abort()
    return `${late} ms`
  },
  'commit beside 300 waits …IfExists and 3,000 hidden entries': async (api, space) => {
    const Held = api.defineEntry('Held')
    const tx = await space.begin({ leaseMs: 600_000 })
    await space.writeAll(
      Array.from({ length: 3_000 }, (_, id) => Held({ id })),
      { tx },
    )
    const take = (id, signal) => space.takeIfExists(Held.template({ id: id * 10 }), { waitMs: 600_000, signal })
    const end = await waitingFor(300, take, () => space.readIfExists(Held))
    const since = performance.now()
    await space.transact((other) => space.write(Held({ id: -1 }), { tx: other }))
    const took = ms(since)
    await end()
    await tx.abort()
    return took
  },
  '300 takes …IfExists of what 3,000 hidden entries are not': async (api, space) => {
    const Held = api.defineEntry('Held')
    const tx = await space.begin({ leaseMs: 600_000 })
    await space.writeAll(
      Array.from({ length: 3_000 }, (_, id) => Held({ id })),
      { tx },
    )
    const since = performance.now()
    const takes = Array.from({ length: 300 }, (_, i) =>
      space.takeIfExists(Held.template({ id: -1 - i }), { waitMs: 60_000 }),
    )
    await Promise.all(takes)
    const took = ms(since)
    await tx.abort()
    return took
  },
  'read of AnyEntry after 1,000 kinds': async (api, space) => {
    const kinds = Array.from({ length: 1_000 }, (_, i) => api.defineEntry(`Kind${i}`))
    await space.writeAll(kinds.map((kind) => kind({ id: 1 })))
    for (const kind of kinds) await space.takeIfExists(kind)
    await space.write(kinds[500]({ id: 2 }))
    return each(200, () => space.readIfExists(api.AnyEntry))
  },
}

async function contents(api, space, count) {
  const Job = await filled(api, space, count)
  const since = performance.now()
  let seen = 0
  for await (const _ of space.contents(Job)) {
    seen++
    if (performance.now() - since > LONGEST_MS) return `more than ${ms(since)}: ${seen} of ${count}`
  }
  return ms(since)
}

const writesPast = (Job, space) =>
  each(500, async (i) => {
    await space.write(Job({ n: -1 - i, type: 'written', due: 1_000_000 }))
  })

const redis = options.on.includes('redis') ? await startRedis({ aof: false }) : undefined
const apis = {}
for (const [build, folder] of Object.entries(builds)) {
  apis[build] = await import(pathToFileURL(resolve(folder, 'dist/src/index.js')))
}
let spaces = 0
for (const where of options.on.split(',')) {
  console.log(`\n${where}: ${ENTRIES} entries, ${WAITING} waits`)
  for (const [what, measure] of Object.entries(FIGURES)) {
    if (!what.includes(options.only)) continue
    const found = []
    for (const [build, api] of Object.entries(apis)) {
      const space = await api.openSpace(where === 'redis' ? redis.url : 'memory:', { name: `large${++spaces}` })
      // A server that is held up for too long is given up by its processes.
      found.push(`${build} ${await measure(api, space).catch(({ code, message }) => code ?? message)}`)
      await space.close()
      while (redis && !(await redis.empty().catch(() => false))) await new Promise((next) => setTimeout(next, 100))
    }
    console.log(`${what}: ${found.join('; ')}`)
  }
}
await redis?.stop()
