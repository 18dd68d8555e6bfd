/** test:soak: a system under load and mixed faults for many minutes; says in one table what each process takes before, during and after. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { placeOf } from '../support/places.js'
import { report } from './report.js'
import { soak } from './soak.js'

const { values } = parseArgs({
  options: {
    /** Of faults. */
    minutes: { type: 'string', default: '30' },
    /** The AOF's: `always` must lose nothing. */
    fsync: { type: 'string', default: 'always' },
    /** `sentinels`, `cluster`: a primary with replicas behind Sentinels, or on a Cluster. */
    on: { type: 'string' },
    /** Some faults alone, by their names, separated by commas. */
    faults: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
  },
})

const fsync = values.fsync as 'always' | 'everysec'
if (fsync !== 'always' && fsync !== 'everysec') throw new Error('--fsync is always or everysec.')
const on = placeOf(values.on)
const seconds = Number(values.minutes) * 60
console.log(`seed ${values.seed}, ${values.minutes} minutes, appendfsync ${fsync}`)
const records = fileURLToPath(new URL('../../.cache/soak', import.meta.url))
const done = await soak({
  seed: Number(values.seed),
  seconds,
  fsync,
  on,
  only: values.faults?.split(','),
  records,
  say: (line) => console.log(line),
})
const { lines, wrong } = report(done, seconds)
for (const line of [...lines, ...wrong]) console.log(line)
console.log(wrong.length === 0 ? 'all bounds kept' : `${wrong.length} bounds passed; records of soak in .cache/soak`)
process.exit(wrong.length === 0 ? 0 : 1)
