/** Part (b): `GET /` through gateway, space and two worker processes, beside the same app served by one process directly. */
import { fileURLToPath } from 'node:url'
import { freePort } from './redis.mjs'
import { run } from './run.mjs'

const APPS = ['plain', 'express']
const CONNECTIONS = 64
const PROCESSES = 2
const READY_MS = 20_000
const EXPECTED = JSON.stringify({ message: 'hello, world', served: 'by the space' })

export const http = {
  name: 'http',
  title: `GET / requests a second at ${CONNECTIONS} connections`,
  steps: ({ runs }) => APPS.flatMap((app) => Array.from({ length: runs }, (_, n) => round(app, n)).flat()),
  baselines: ['direct, one process'],
}

/** Both, in turns the one and the other first. */
function round(app, n) {
  const group = app === 'plain' ? '(req, res) app' : 'Express 5 app'
  const file = fileURLToPath(new URL(`apps/${app}.mjs`, import.meta.url))
  const both = [
    { contender: 'takespace', group, run: n, measure: (bench) => run(bench, () => throughSpace(bench, app, file)) },
    {
      contender: 'direct, one process',
      group,
      run: n,
      measure: (bench) => run(bench, () => directly(bench, app, file)),
    },
  ]
  return n % 2 === 0 ? both : both.reverse()
}

/** `flags`: what else the gateway and the workers are started with. */
export async function throughSpace(bench, app, file, flags = { gateway: [], workers: [] }) {
  const { children, redis, concurrency } = bench
  const port = await freePort()
  const gateway = children.command(`http-gateway-${app}`, [
    'gateway',
    '--port',
    String(port),
    '--url',
    redis.url,
    ...flags.gateway,
  ])
  const args = ['worker', file, '--processes', String(PROCESSES), '--concurrency', String(concurrency)]
  const workers = await startWorkers(children, `http-worker-${app}`, [...args, '--url', redis.url, ...flags.workers])
  const target = `http://127.0.0.1:${port}/`
  await answered(target)
  const driver = await startLoad(bench, target)
  return { driver, roles: { client: [driver.pid], gateway: [gateway.pid], workers } }
}

async function directly(bench, app, file) {
  const httpPort = await freePort()
  const server = await bench.children.fork(`http-direct-${app}`, 'direct', { app: file, httpPort })
  const target = `http://127.0.0.1:${httpPort}/`
  await answered(target)
  const driver = await startLoad(bench, target)
  return { driver, roles: { client: [driver.pid], workers: [server.pid] } }
}

/** The process ids of the workers, once all take requests. Their supervisor names them in its log. */
function startWorkers(children, role, args) {
  return new Promise((resolve, reject) => {
    const pids = []
    const onLog = ({ workerPid, msg }) => {
      if (msg !== 'a worker process is ready') return
      pids.push(workerPid)
      if (pids.length === PROCESSES) resolve(pids)
    }
    const supervisor = children.command(role, args, { logLevel: 'info', onLog })
    supervisor.once('exit', (code) => reject(new Error(`takespace worker ended (${code})`)))
    setTimeout(() => reject(new Error('takespace worker was not ready in time')), READY_MS).unref()
  })
}

const startLoad = ({ children, warmUpMs, seconds }, target) =>
  children.fork('http-load', 'load', { target, connections: CONNECTIONS, expected: EXPECTED, warmUpMs, seconds })

/** Asks until it is right, for as long as a start may take. */
async function answered(target) {
  const end = performance.now() + READY_MS
  for (;;) {
    try {
      const response = await fetch(target, { signal: AbortSignal.timeout(2_000) })
      if (response.status === 200 && (await response.text()) === EXPECTED) return
    } catch {
      // Not listening yet.
    }
    if (performance.now() > end) throw new Error(`no right answer from ${target} within ${READY_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
