/** Fills two spaces of one server, a small and a large one, then takes and writes back in each in turn; counts calls and bytes, too. */
import { Redis } from 'ioredis'
import { defineEntry, entryInfo, openSpace } from '../../dist/src/index.js'
import { countCores } from '../machine/cores.mjs'
import { percentiles } from './loop.mjs'
import { begin, options, tell } from './parent.mjs'

const KINDS = 16
const EXTENDED = 4
const PER_WRITE = 1_000
const WRITES_IN_FLIGHT = 4
const ROUNDS = 6
const STATES = 5

const plain = Array.from({ length: KINDS }, (_, k) => defineEntry(`Stock${k}`))
const kinds = [...plain, ...plain.slice(0, EXTENDED).map((kind, k) => kind.extend(`Rush${k}`))]
const kindOf = new Map(kinds.map((kind) => [kind.kind, kind]))
const control = new Redis(options.url)

async function inParallel(count, make, space) {
  let next = 0
  const lane = async () => {
    while (next < count) {
      const from = next
      next += PER_WRITE
      await space.writeAll(Array.from({ length: Math.min(PER_WRITE, count - from) }, (_, i) => make(from + i)))
    }
  }
  await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, lane))
}

const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await control.info('memory'))[1])
const calls = async () => Number(/cmdstat_fcall:calls=(\d+)/.exec(await control.info('commandstats'))?.[1] ?? 0)
const whole = (value) => Math.round(value).toLocaleString('en')

/** So many of each kind, each owner with about fifty of them, or five where there are few. */
async function fill(name, entries) {
  const space = await openSpace(options.url, { name })
  const perKind = Math.ceil(entries / kinds.length)
  const owners = Math.max(10, Math.round(perKind / 50))
  const entry = (kind, i) => kind({ id: `i${i}`, owner: `o${i % owners}`, state: Math.floor(i / owners) % STATES })
  const before = await usedMemory()
  const since = performance.now()
  await inParallel(perKind * KINDS, (i) => entry(plain[i % KINDS], Math.floor(i / KINDS)), space)
  const bytes = ((await usedMemory()) - before) / (perKind * KINDS)
  await inParallel(perKind * EXTENDED, (i) => entry(kinds[KINDS + (i % EXTENDED)], Math.floor(i / EXTENDED)), space)
  return { name, space, owners, bytes, perSecond: (perKind * kinds.length) / ((performance.now() - since) / 1000) }
}

const any = (n) => Math.floor(Math.random() * n)
const TEMPLATES = [
  ({ owners }) => [any(KINDS - EXTENDED) + EXTENDED, { owner: `o${any(owners)}` }],
  ({ owners }) => [any(KINDS - EXTENDED) + EXTENDED, { owner: `o${any(owners)}`, state: any(STATES) }],
  ({ owners }) => [any(EXTENDED), { owner: `o${any(owners)}` }],
]

async function slice(filled, templateOf, ms) {
  const { space } = filled
  const cores = countCores({ client: [process.pid], redis: [options.redisPid] })
  const took = []
  const from = performance.now()
  while (performance.now() - from < ms) {
    const [k, fields] = templateOf(filled)
    const since = performance.now()
    const taken = await space.takeIfExists(plain[k].template(fields))
    if (!taken) throw new Error(`nothing of Stock${k} has ${JSON.stringify(fields)}`)
    await space.write(kindOf.get(entryInfo(taken).kind)(taken))
    took.push(performance.now() - since)
  }
  const seconds = (performance.now() - from) / 1000
  return { perSecond: took.length / seconds, ...percentiles(took), errors: 0, cores: cores() }
}

/** Calls and milliseconds of a template that matches nothing. */
async function missed(space, template) {
  const TIMES = 20
  const before = await calls()
  const since = performance.now()
  for (let i = 0; i < TIMES; i++) if (await space.takeIfExists(template)) throw new Error('it matches something')
  return { calls: ((await calls()) - before) / TIMES, ms: (performance.now() - since) / TIMES }
}

/** Two fields of many entries each and none together, indexed each, and together. */
async function together(space) {
  const COUNT = 20_000
  const facts = []
  for (const index of [['customer', 'state'], [['customer', 'state']]]) {
    const Order = defineEntry(`Order${facts.length}`, { index })
    const before = await usedMemory()
    const order = (i) => Order({ customer: i % 2 ? 'c' : 'd', state: i % 2 ? 'done' : 'open', n: i })
    await inParallel(COUNT, order, space)
    const bytes = ((await usedMemory()) - before) / COUNT
    const { calls, ms } = await missed(space, Order.template({ customer: 'c', state: 'open' }))
    const what = `${whole(COUNT / 2)} entries in each of two fields, none in both, index ${JSON.stringify(index)}: calls of a search`
    const bar = facts.length === 0 ? `≥ ${COUNT / 2 / 200} (slices of 200)` : '1'
    facts.push(['search', what, `${calls.toFixed(1)} (${ms.toFixed(2)} ms; ${whole(bytes)} bytes an entry)`, bar])
  }
  return facts
}

await begin()
const small = await fill('small', options.few)
const large = await fill('large', options.entries)
const facts = [
  ['memory', `bytes of an entry of three indexed fields, of ${whole(options.entries)}`, whole(large.bytes), '≤ 700'],
  [
    'filling',
    `entries a second, ${PER_WRITE} a write, ${WRITES_IN_FLIGHT} writes in flight`,
    whole(large.perSecond),
    '–',
  ],
]
const samples = []
const ms = (1000 * options.seconds) / 3
for (const [t, templateOf] of TEMPLATES.entries()) {
  for (let run = -1; run < ROUNDS; run++) {
    const both = [small, large].map((filled, i) => [filled, options.names[i]])
    for (const [filled, contender] of run % 2 ? both : both.reverse()) {
      const sample = await slice(filled, templateOf, ms)
      if (run >= 0) samples.push({ contender, group: options.templates[t], run, ...sample })
    }
  }
}
const none = await missed(large.space, plain[0].template({ owner: 'nobody' }))
facts.push([
  'search',
  'one indexed field that nothing has: calls of a search',
  `${none.calls.toFixed(1)} (${none.ms.toFixed(2)} ms)`,
  '1',
])
facts.push(...(await together(large.space)))
samples[0].facts = facts
tell('measured', { result: samples })
