/** Question A: request/reply between two processes at 1, 64 and 512 in flight, beside the brokers. */
import { versionOf } from '../../machine/conditions.mjs'
import { measure } from '../../run.mjs'
import { LeftOut } from '../../servers/left-out.mjs'
import * as bee from './contenders/bee-queue.mjs'
import * as bullmq from './contenders/bullmq.mjs'
import * as jobQueue from './contenders/job-queue.mjs'
import * as limit from './contenders/limit.mjs'
import * as moleculer from './contenders/moleculer.mjs'
import * as nats from './contenders/nats.mjs'
import * as rabbit from './contenders/rabbitmq.mjs'
import * as streams from './contenders/redis-streams.mjs'
import * as call from './contenders/takespace-call.mjs'
import * as raw from './contenders/takespace-raw.mjs'

/** By the name of the file. */
const CONTENDERS = {
  'takespace-raw': raw,
  'takespace-call': call,
  nats,
  rabbitmq: rabbit,
  moleculer,
  'redis-streams': streams,
  'bee-queue': bee,
  bullmq,
  'job-queue': jobQueue,
  limit,
}
const QUICK = ['takespace-raw', 'takespace-call', 'nats', 'bullmq', 'limit']
const IN_FLIGHT = [1, 64, 512]
/** The lone requests last, when what they run is compiled. */
const ORDER = [64, 512, 1]
const WARM_UP_MS = 500
const abouts = Object.values(CONTENDERS).map(({ about }) => about)
const RAW = raw.about.name

const groupOf = (inFlight) => `${inFlight} in flight`

const ratio = (inFlight, of, { about }, target) => ({
  group: groupOf(inFlight),
  of,
  against: about.name,
  key: 'perSecond',
  target,
})

export const question = {
  letter: 'A',
  name: 'request-reply',
  title: 'How many requests a second between two processes, beside the brokers?',
  how: `One client process, one worker process, one server of its own kind. A closed loop of so many requests; JSON of
200 bytes is echoed and compared on return. \`raw\` is what gateway and worker use, \`client.call\` what a program uses.
CPU is that of client, worker and server.`,
  abouts,
  packages: abouts.flatMap(({ packages = [] }) => packages),
  groups: IN_FLIGHT.map(groupOf),
  columns: [
    { key: 'perSecond', title: 'per second', digits: 0, spread: true },
    { key: 'p50', title: 'p50 ms', digits: 2 },
    { key: 'p99', title: 'p99 ms', digits: 2 },
    { key: 'cpu', title: 'CPU s per 10,000', digits: 2 },
    { key: 'server', title: 'of which server', digits: 2 },
  ],
  ratios: [
    ...[64, 512].map((n) => ratio(n, RAW, limit, n === 64 ? '≥ 0.65' : '≥ 0.6')),
    ...[64, 512].map((n) => ratio(n, RAW, nats, '≥ 1.8')),
    ratio(64, RAW, bullmq, '≥ 14'),
    ...IN_FLIGHT.map((n) => ratio(n, call.about.name, raw, '≥ 0.9')),
    { group: groupOf(1), of: RAW, against: nats.about.name, key: 'p50', target: '≤ 1.2' },
  ],
  chart: { kind: 'bars', key: 'perSecond', unit: 'requests a second' },
  contenders: ({ quick }) =>
    Object.entries(CONTENDERS)
      .filter(([file]) => !quick || QUICK.includes(file))
      .map(([file, { about }]) => ({ name: about.name, measure: (bench) => measureOne(bench, file, about) })),
}

async function measureOne(bench, file, { server: kind, packages = [] }) {
  const { children, shelf, seconds, redis } = bench
  const absent = packages.find((name) => !versionOf(name))
  if (absent) throw new LeftOut(`${absent} is not installed; npm install --prefix bench`)
  const server = await shelf.get(kind)
  await redis.empty()
  const options = { contender: file, url: server.url, port: server.port, warmUpMs: WARM_UP_MS, seconds }
  const worker = await children.fork(`${file}-worker`, 'contender', { ...options, side: 'worker' })
  const driver = await children.fork(`${file}-client`, 'contender', { ...options, side: 'client' })
  const system = { driver, roles: { client: [driver.pid], workers: [worker.pid], server: [server.pid] } }
  const samples = []
  for (const inFlight of ORDER) {
    const found = await measure({ seconds }, system, { inFlight })
    samples.push({ group: groupOf(inFlight), ...found, values: valuesOf(found) })
  }
  return samples
}

function valuesOf({ perSecond, p50, p99, cores }) {
  const per10k = (list) => (1e4 * list.reduce((sum, value) => sum + value, 0)) / perSecond
  return { perSecond, p50, p99, cpu: per10k(Object.values(cores)), server: per10k([cores.server]) }
}
