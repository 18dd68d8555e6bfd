/** The setups of question C: takespace, and HAProxy with its policies, each with one front end and with four. */
import { startHaproxy } from '../../servers/haproxy.mjs'
import { answered } from '../../servers/listening.mjs'

export const SLOTS = 4
/** How much longer than asked for each worker takes. */
export const FACTORS = [1, 1, 1, 5]
const POLICIES = { roundrobin: 'roundrobin', leastconn: 'leastconn', 'random(2)': 'random(2)' }

export const groupOf = (fronts) => (fronts === 1 ? 'one front end' : 'four front ends')

async function behindHaproxy(bench, { fronts, balance, maxconn }) {
  const ports = []
  for (const _ of FACTORS) ports.push(await bench.freePort())
  await bench.children.fork('uneven-servers', 'uneven-servers', { ports, factors: FACTORS, slots: SLOTS })
  const targets = []
  for (let i = 0; i < fronts; i++) targets.push((await startHaproxy(bench, { balance, ports, maxconn })).target)
  return targets
}

async function throughSpace({ children, redis, freePort }, { fronts }) {
  const name = `uneven-${fronts}`
  const targets = []
  for (let i = 0; i < fronts; i++) {
    const port = await freePort()
    children.command('uneven-gateway', ['gateway', '--port', String(port), '--url', redis.url, '--name', name])
    targets.push(`http://127.0.0.1:${port}/`)
  }
  await children.fork('uneven-workers', 'uneven-workers', { url: redis.url, name, factors: FACTORS, slots: SLOTS })
  return targets
}

const haproxy = (fronts, policy, maxconn, words) => ({
  name: `HAProxy ${policy}${words ? `, ${words}` : ''}`,
  fronts,
  start: (bench) => behindHaproxy(bench, { fronts, balance: POLICIES[policy], maxconn }),
})

const policiesOf = (fronts) =>
  Object.keys(POLICIES).flatMap((policy) => [
    haproxy(fronts, policy, SLOTS / fronts, fronts === 1 ? 'maxconn 4' : 'maxconn 1 each'),
    haproxy(fronts, policy),
  ])

const takespace = (fronts) => ({ name: 'takespace', fronts, start: (bench) => throughSpace(bench, { fronts }) })

export const SETUPS = [
  ...[1, 4].flatMap((fronts) => [takespace(fronts), ...policiesOf(fronts)]),
  haproxy(4, 'leastconn', SLOTS, 'maxconn 4 each'),
]

/** Starts a setup. Resolves to its front ends, once each answers. */
export async function startSetup(bench, setup) {
  const targets = await setup.start(bench)
  await Promise.all(targets.map((target) => answered(target, (status) => status === 200)))
  return targets
}
