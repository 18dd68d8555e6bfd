/** Waits for what nobody writes: many takers, or many registrations, on distinct templates of three shapes; or hears of every write. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { begin, options, tell } from './parent.mjs'

const Job = defineEntry('Job')
const space = await openSpace(options.url, { name: options.name })

const SHAPES = [
  (i) => ({ id: `w${i}` }),
  (i) => ({ owner: `w${i}`, state: 'open' }),
  (i) => ({ id: `w${i}`, owner: 'nobody', state: 'open' }),
]
const templateOf = (_, i) => Job.template(SHAPES[i % SHAPES.length](i))
const wrong = () => tell('failed', { why: 'a wait was served by what it did not ask for' })

const { takers = 0, registrations = 0, heard = false } = options
for (const template of Array.from({ length: takers }, templateOf)) space.take(template).then(wrong, wrong)
const templates = Array.from({ length: registrations }, templateOf)
await Promise.all(templates.map((template) => space.notify([template], wrong)))
if (heard) await space.notify([Job.template({ owner: 'writer' })], () => {})
// Behind all of these: they stand when this is answered, batch by batch.
if (takers > 0) await Promise.all(Array.from({ length: 8 }, () => space.notify([Job.template({ id: 'last' })], wrong)))
await begin()
