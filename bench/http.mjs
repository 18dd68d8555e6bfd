/** An app behind gateway, space and two worker processes, as the command line starts them, under a load of `GET /`. */
import { familyOf } from './machine/family.mjs'
import { freePort } from './redis.mjs'
import { answered } from './servers/listening.mjs'

const CONNECTIONS = 64
const PROCESSES = 2
const READY_MS = 20_000
const EXPECTED = JSON.stringify({ message: 'hello, world', served: 'by the space' })

/** Starts it with autocannon as its driver. @param flags what else the gateway and the workers are started with */
export async function throughSpace(bench, app, file, flags) {
  const { target, roles } = await startThroughSpace(bench, app, file, flags)
  await answered(target, (status, text) => status === 200 && text === EXPECTED)
  const driver = await startLoad(bench, target)
  return { driver, roles: { client: [driver.pid], ...roles } }
}

/** Resolves to `{ target, roles }` once the workers take requests; roles are gateway and workers, each with its helpers. */
export async function startThroughSpace(bench, app, file, flags = { gateway: [], workers: [] }) {
  const { children, redis, concurrency, processes = PROCESSES, env } = bench
  const port = await freePort()
  const gateway = children.command(`http-gateway-${app}`, [
    'gateway',
    '--port',
    String(port),
    '--url',
    redis.url,
    ...flags.gateway,
  ])
  const args = ['worker', file, '--processes', String(processes), '--concurrency', String(concurrency)]
  const more = [...args, '--url', redis.url, ...flags.workers]
  const workers = await startWorkers(children, `http-worker-${app}`, more, processes, env)
  return { target: `http://127.0.0.1:${port}/`, roles: { gateway: familyOf(gateway.pid), workers } }
}

/** The process ids of supervisor and workers, once all take requests. The supervisor names its workers in its log. */
export function startWorkers(children, role, args, processes, env) {
  return new Promise((resolve, reject) => {
    const pids = []
    const onLog = ({ workerPid, msg }) => {
      if (msg !== 'a worker process is ready') return
      pids.push(workerPid)
      if (pids.length === processes) resolve([supervisor.pid, ...pids])
    }
    const supervisor = children.command(role, args, { logLevel: 'info', onLog, more: env })
    supervisor.once('exit', (code) => reject(new Error(`takespace worker ended (${code})`)))
    setTimeout(() => reject(new Error('takespace worker was not ready in time')), READY_MS).unref()
  })
}

const startLoad = ({ children, warmUpMs, seconds }, target) =>
  children.fork('http-load', 'load', { target, connections: CONNECTIONS, expected: EXPECTED, warmUpMs, seconds })
