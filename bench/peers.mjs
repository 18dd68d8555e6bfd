/** `npm run bench:peers`: request/reply by `client.call` beside what others use for it, in turns, each with a server of its own. */
import { parseArgs } from 'node:util'
import { startNats, startRabbit } from './brokers.mjs'
import { Children } from './children.mjs'
import { startRedis } from './redis.mjs'
import { render, summarise } from './report.mjs'
import { failed, measure } from './run.mjs'

const WARM_UP_MS = 1_000
const IN_FLIGHT = [1, 64, 512]
const OURS = 'takespace'

/** What each contender stands on, and what it promises about a request whose worker dies; its processes are <name>-worker and <name>-client. */
const CONTENDERS = [
  { name: OURS, processes: 'call', server: 'redis', keeps: 'given to another worker' },
  { name: 'BullMQ, waitUntilFinished', processes: 'bullmq', server: 'redis', keeps: 'given to another worker' },
  {
    name: 'RabbitMQ, direct reply-to, acknowledged',
    processes: 'rabbit',
    server: 'rabbit',
    keeps: 'given to another worker',
  },
  { name: 'NATS, request', processes: 'nats', server: 'nats', keeps: 'lost, time-out' },
  { name: 'Moleculer over Redis', processes: 'moleculer', server: 'redis', keeps: 'lost, time-out' },
]

const part = {
  name: 'peers',
  title: 'request/reply by client.call, client process → worker process → client, round trips a second (200 bytes)',
  baselines: CONTENDERS.filter(({ name }) => name !== OURS).map(({ name }) => name),
}

const say = (line) => process.stderr.write(`${line}\n`)

function settings() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      runs: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  })
  const integer = (name, max) => {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new Error(`--${name} is an integer from 1 to ${max}`)
    return value
  }
  return { seconds: integer('seconds', 600), runs: integer('runs', 100), json: values.json }
}

/** Those that can be had; of the others one line says why not. */
async function startServers() {
  const servers = { redis: await startRedis({ aof: false }) }
  for (const [name, start] of [
    ['nats', startNats],
    ['rabbit', startRabbit],
  ]) {
    try {
      servers[name] = await start()
    } catch (error) {
      say(`skipped: ${error.message}`)
    }
  }
  return servers
}

/** BullMQ is faster with fewer at a time. */
async function once(bench, { processes }, server, inFlight) {
  const options = {
    url: server.url,
    port: server.port,
    inFlight,
    warmUpMs: WARM_UP_MS,
    seconds: bench.seconds,
    concurrency: processes === 'bullmq' ? 64 : 512,
  }
  try {
    await bench.redis.empty()
    const worker = await bench.children.fork(`${processes}-worker`, `${processes}-worker`, options)
    const driver = await bench.children.fork(`${processes}-client`, `${processes}-client`, options)
    const roles = { client: [driver.pid], workers: [worker.pid] }
    return await measure({ redis: server, seconds: bench.seconds }, { driver, roles })
  } catch (error) {
    return failed(error)
  } finally {
    await bench.children.end()
  }
}

async function main({ seconds, runs, json }) {
  const servers = await startServers()
  const bench = { redis: servers.redis, children: new Children(), seconds }
  const there = CONTENDERS.filter(({ server }) => servers[server])
  const samples = []
  try {
    for (const inFlight of IN_FLIGHT) {
      for (let run = 0; run < runs; run++) {
        // Forwards and backwards, so that a slow stretch of the machine hurts all.
        for (const contender of run % 2 === 0 ? there : [...there].reverse()) {
          const sample = await once(bench, contender, servers[contender.server], inFlight)
          samples.push({ contender: contender.name, group: `${inFlight} in flight`, run, ...sample })
          say(
            `${inFlight} in flight, ${contender.name}, run ${run + 1}: ${sample.errors ? `INVALID: ${sample.firstError}` : `${Math.round(sample.perSecond)} a second`}`,
          )
        }
      }
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()))
  }
  const result = summarise(part, samples)
  const versions = Object.entries(servers).map(([name, { version }]) => `${name} ${version}`)
  const terms = `${runs} runs of ${seconds} s; Node ${process.versions.node}; ${versions.join(', ')}; the server's share of the cores is in the column redis`
  if (json) process.stdout.write(`${JSON.stringify({ terms, results: [result] }, null, 2)}\n`)
  else process.stdout.write(`${terms}\n\n${render(result)}`)
  if (samples.some(({ errors }) => errors > 0)) process.exitCode = 1
}

try {
  await main(settings())
} catch (error) {
  say(`bench: ${error.message}`)
  process.exitCode = 1
}
