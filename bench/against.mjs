/**
 * This build against another one, in turns: `node bench/against.mjs FOLDER`, a checkout of another commit that has been built there. Both
 * stand at the same time on one server, so a machine that drifts hurts both. Its benchmark processes must be those of this commit:
 * `cp -r bench FOLDER/` does that.
 */
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Children } from './children.mjs'
import { throughSpace } from './http.mjs'
import { median } from './median.mjs'
import { startRedis } from './redis.mjs'
import { measure } from './run.mjs'

const SECONDS = 1
const WARM_UP_MS = 300
const CONCURRENCY = 512
/** Of this load each build has its own gateway and workers. */
const HTTP = 'GET /'
const APP = fileURLToPath(new URL('apps/plain.mjs', import.meta.url))
/** What is measured: the processes that it takes with their options, the driver last. */
const LOADS = {
  [HTTP]: undefined,
  'request/reply': [
    ['contender', { contender: 'takespace-raw', side: 'worker' }],
    ['contender', { contender: 'takespace-raw', side: 'client' }],
  ],
  'write + take': [['write-take', {}]],
}

async function start({ children, throughSpace }, redis, name, inFlight, processes) {
  const terms = { warmUpMs: WARM_UP_MS, seconds: SECONDS, concurrency: CONCURRENCY }
  const options = { url: redis.url, name, inFlight, ...terms }
  if (!processes) {
    const flags = { gateway: ['--name', name], workers: ['--name', name] }
    const bench = { children, redis, concurrency: CONCURRENCY, warmUpMs: WARM_UP_MS, seconds: SECONDS }
    const { driver, roles } = await throughSpace(bench, `against-${name}`, APP, flags)
    return { driver, roles: { processes: [...roles.gateway, ...roles.workers] } }
  }
  const running = []
  for (const [process, more] of processes) {
    running.push(await children.fork(`${name}-${process}`, process, { ...options, ...more }))
  }
  return { driver: running.at(-1), roles: { processes: running.map(({ pid }) => pid) } }
}

const cost = (roles) => (sample) => (1e6 * roles.reduce((sum, role) => sum + sample.cores[role], 0)) / sample.perSecond
const FIGURES = {
  time: ({ perSecond }) => 1 / perSecond,
  CPU: cost(['processes', 'redis']),
  'Redis CPU': cost(['redis']),
}

async function compare(redis, builds, { load, inFlight, turns }) {
  const systems = {}
  for (const [name, build] of Object.entries(builds)) {
    systems[name] = await start(build, redis, name, inFlight, LOADS[load])
  }
  const pairs = []
  // The first turn is thrown away: in it both compile what they run.
  for (let turn = 0; turn <= turns; turn++) {
    const pair = {}
    for (const name of turn % 2 ? ['other', 'this'] : ['this', 'other']) {
      pair[name] = await measure({ redis, seconds: SECONDS }, systems[name])
      if (pair[name].errors > 0) throw new Error(`${name} build: ${pair[name].firstError}`)
    }
    if (turn > 0) pairs.push(pair)
  }
  for (const [what, figure] of Object.entries(FIGURES)) {
    const ratios = pairs.map((pair) => figure(pair.this) / figure(pair.other))
    const all = ratios.map((ratio) => ratio.toFixed(2)).join(' ')
    console.log(`${load}, ${inFlight} in flight, ${what}, this ÷ other: ${median(ratios).toFixed(2)}   (${all})`)
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'in-flight': { type: 'string', default: '64' },
    turns: { type: 'string', default: '20' },
    loads: { type: 'string' },
  },
})
const [folder] = positionals
if (!folder) throw new Error('node bench/against.mjs FOLDER [--in-flight 64] [--turns 20] [--loads NAME]')
const other = await import(pathToFileURL(resolve(folder, 'bench/children.mjs')))
const otherHttp = await import(pathToFileURL(resolve(folder, 'bench/http.mjs')))
const redis = await startRedis({ aof: false })
try {
  for (const load of values.loads?.split(',') ?? Object.keys(LOADS)) {
    const builds = {
      this: { children: new Children(), throughSpace },
      other: { children: new other.Children(), throughSpace: otherHttp.throughSpace },
    }
    const terms = { load, inFlight: Number(values['in-flight']), turns: Number(values.turns) }
    await compare(redis, builds, terms).finally(() =>
      Promise.all(Object.values(builds).map((each) => each.children.end())),
    )
  }
} finally {
  await redis.stop()
}
