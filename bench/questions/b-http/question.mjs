/** Question B: HTTP at 64 and 256 connections, beside direct, HAProxy, nginx and node:cluster. */
import { fileURLToPath } from 'node:url'
import { measure } from '../../run.mjs'
import { LeftOut } from '../../servers/left-out.mjs'
import { answered } from '../../servers/listening.mjs'
import { program } from '../../servers/programs.mjs'
import * as cluster from './contenders/cluster.mjs'
import * as direct from './contenders/direct.mjs'
import * as haproxy from './contenders/haproxy.mjs'
import * as nginx from './contenders/nginx.mjs'
import * as takespace from './contenders/takespace.mjs'

const CONTENDERS = [takespace, haproxy, nginx, cluster, direct]
const QUICK = [takespace, haproxy, direct]
const CONNECTIONS = [64, 256]
const APPS = { 'bare app': 'plain', 'Express 5 app': 'express' }
const EXPECTED = JSON.stringify({ message: 'hello, world', served: 'by the space' })
const fileOf = (app) => fileURLToPath(new URL(`../../apps/${APPS[app]}.mjs`, import.meta.url))

const groupOf = (app, connections) => `${app}, ${connections} connections`
const both = (app, make) => CONNECTIONS.map((connections) => make(groupOf(app, connections)))
const ratio = (against, key, target) => (group) => {
  return { group, of: takespace.about.name, against: against.about.name, key, target }
}

export const question = {
  letter: 'B',
  name: 'http',
  title: 'How many HTTP requests a second, beside proxies and node:cluster?',
  how: `\`GET /\` of an app that sends 52 bytes of JSON, on keep-alive connections: a bare \`(req, res)\` function, and Express 5 with its
defaults. The load generator is wrk with one thread (autocannon, if there is no wrk); its CPU is not counted. Of what a
front costs on a machine of its own, CPU tells more than the rate: all share the cores here.`,
  abouts: CONTENDERS.map(({ about }) => about),
  packages: ['express'],
  groups: Object.keys(APPS).flatMap((app) => both(app, (group) => group)),
  programs: ['wrk', 'haproxy', 'nginx'],
  columns: [
    { key: 'perSecond', title: 'per second', digits: 0, spread: true },
    { key: 'p50', title: 'p50 ms', digits: 2 },
    { key: 'p99', title: 'p99 ms', digits: 2 },
    { key: 'cpu', title: 'CPU s per 10,000', digits: 2 },
    { key: 'front', title: 'front', digits: 2 },
    { key: 'apps', title: 'apps', digits: 2 },
    { key: 'server', title: 'Redis', digits: 2 },
  ],
  ratios: [
    ...both('bare app', ratio(haproxy, 'perSecond', '≥ 0.6')),
    ...both('bare app', ratio(haproxy, 'cpu', '≤ 1.6')),
    ...both('Express 5 app', ratio(direct, 'perSecond', '≥ 1.0')),
    ...both('Express 5 app', ratio(direct, 'cpu')),
  ],
  chart: { kind: 'bars', key: 'perSecond', unit: 'requests a second' },
  contenders: ({ quick }) =>
    Object.keys(APPS).flatMap((app) =>
      (quick ? QUICK : CONTENDERS).map((contender) => ({
        name: contender.about.name,
        measure: (bench) => measureOne(bench, contender, app, quick ? [64] : CONNECTIONS),
      })),
    ),
}

async function measureOne(bench, contender, app, connections) {
  const { children, redis, seconds } = bench
  await redis.empty()
  const { target, roles } = await contender.start(bench, fileOf(app))
  await answered(target, (status, text) => status === 200 && text === EXPECTED)
  const driver = await startLoad(children, target)
  const samples = []
  for (const each of connections) {
    const found = await measure({ seconds }, { driver, roles }, { connections: each, seconds })
    samples.push({ group: groupOf(app, each), ...found, values: valuesOf(found) })
  }
  return samples
}

function startLoad(children, target) {
  try {
    const { command, env } = program('wrk')
    return children.fork('load', 'wrk', { target, command, env })
  } catch (error) {
    if (!(error instanceof LeftOut)) throw error
    return children.fork('load', 'load', { target, expected: EXPECTED, warmUpMs: 1_000 })
  }
}

function valuesOf({ perSecond, p50, p99, cores }) {
  const per10k = (value) => (1e4 * value) / perSecond
  const { front, gateway = front, apps, workers = apps, server } = cores
  const all = Object.values(cores).reduce((sum, value) => sum + value, 0)
  return {
    perSecond,
    p50,
    p99,
    cpu: per10k(all),
    ...(gateway && { front: per10k(gateway) }),
    apps: per10k(workers),
    ...(server && { server: per10k(server) }),
  }
}
