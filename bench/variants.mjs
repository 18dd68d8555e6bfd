/**
 * `GET /` through gateways of this build with different settings, in turns: `node bench/variants.mjs services` (1,000 services beside one) or
 * `processes` (two gateway processes beside one). Both stand at the same time on one server, so a machine that drifts hurts both.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Children } from './children.mjs'
import { throughSpace } from './http.mjs'
import { familyOf } from './machine/family.mjs'
import { median } from './median.mjs'
import { startRedis } from './redis.mjs'
import { measure } from './run.mjs'

const APP = fileURLToPath(new URL('apps/plain.mjs', import.meta.url))

/** Half by path, half by host, which each request then looks up. */
const thousand = Array.from({ length: 999 }, (_, i) =>
  i % 2 === 0 ? `/v1/service-${i}=s${i}` : `service-${i}.shop.example=s${i}`,
)

const VARIANTS = {
  processes: { one: [], two: ['--processes', '2'] },
  services: { one: [], thousand: ['--services', ['web', ...thousand].join(',')] },
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { turns: { type: 'string', default: '15' }, seconds: { type: 'string', default: '1' } },
})
const variants = VARIANTS[positionals[0]]
if (!variants) throw new Error(`node bench/variants.mjs ${Object.keys(VARIANTS).join('|')} [--turns 15] [--seconds 1]`)
const seconds = Number(values.seconds)
const redis = await startRedis({ aof: false })
const children = new Children()
try {
  const systems = {}
  for (const [name, flags] of Object.entries(variants)) {
    const bench = { children, redis, concurrency: 512, warmUpMs: 300, seconds }
    const own = { gateway: ['--name', name, ...flags], workers: ['--name', name] }
    const { driver, roles } = await throughSpace(bench, name, APP, own)
    systems[name] = { driver, roles: { ...roles, gateway: roles.gateway.flatMap(familyOf) } }
  }
  const samples = []
  // The first turn is thrown away: in it both compile what they run.
  for (let turn = 0; turn <= Number(values.turns); turn++) {
    const pair = {}
    for (const name of turn % 2 ? Object.keys(systems) : Object.keys(systems).reverse()) {
      pair[name] = await measure({ redis, seconds }, systems[name])
      if (pair[name].errors > 0) throw new Error(`${name}: ${pair[name].firstError}`)
    }
    if (turn > 0) samples.push(pair)
  }
  const figures = {
    'requests a second': ({ perSecond }) => perSecond,
    'gateway CPU per request, µs': ({ perSecond, cores }) => (1e6 * cores.gateway) / perSecond,
    'CPU of gateway, Redis and workers per request, µs': ({ perSecond, cores }) =>
      (1e6 * (cores.gateway + cores.redis + cores.workers)) / perSecond,
    'p99, ms': ({ p99 }) => p99,
  }
  const [first, second] = Object.keys(systems)
  for (const [what, figure] of Object.entries(figures)) {
    const of = (name) => median(samples.map((pair) => figure(pair[name])))
    const ratio = median(samples.map((pair) => figure(pair[second]) / figure(pair[first])))
    console.log(
      `${what}: ${first} ${of(first).toFixed(1)}, ${second} ${of(second).toFixed(1)}, ratio ${ratio.toFixed(3)}`,
    )
  }
} finally {
  await children.end()
  await redis.stop()
}
