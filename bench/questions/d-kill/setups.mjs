/** The setups of question D: three workers of takespace, and three servers behind HAProxy, with retries and without. */
import { fileURLToPath } from 'node:url'
import { startThroughSpace } from '../../http.mjs'
import { startHaproxy } from '../../servers/haproxy.mjs'

const APP = fileURLToPath(new URL('../../apps/sleeper.mjs', import.meta.url))
const WORKERS = 3
const RETRIES = ['option redispatch', 'retries 3']
const RETRY_ON = [...RETRIES, 'retry-on all-retryable-errors', 'option http-buffer-request']

/** Its supervisor replaces the killed worker by itself. */
async function throughSpace({ children, redis }, ledger) {
  const bench = { children, redis, concurrency: 64, processes: WORKERS, env: { LEDGER: ledger } }
  const { target, roles } = await startThroughSpace(bench, 'd', APP)
  return { target, kill: () => process.kill(roles.workers.at(-1), 'SIGKILL'), restart: () => {} }
}

async function behindHaproxy(bench, ledger, backend) {
  const { children, freePort } = bench
  const ports = []
  for (let i = 0; i < WORKERS; i++) ports.push(await freePort())
  const start = (httpPort) => children.fork('sleeper', 'direct', { app: APP, httpPort }, { LEDGER: ledger })
  const servers = []
  for (const port of ports) servers.push(await start(port))
  const { target } = await startHaproxy(bench, { balance: 'roundrobin', ports, backend, server: 'check inter 1s' })
  return { target, kill: () => servers.at(-1).kill('SIGKILL'), restart: () => start(ports.at(-1)) }
}

export const SETUPS = [
  {
    name: 'takespace',
    promise: 'GET: given to another worker. POST: 502 if it had begun, never executed again',
    settings: 'worker --processes 3, whose supervisor replaces the killed one',
    start: throughSpace,
  },
  {
    name: 'takespace, POST with Idempotency-Key',
    promise: 'given to another worker; the response is stored under the key',
    settings: 'the same',
    isKeyed: true,
    start: throughSpace,
  },
  {
    name: 'HAProxy, no retries',
    promise: 'fails; only connections that are refused are tried again elsewhere',
    settings: 'round robin, check inter 1s, option redispatch, retries 3',
    start: (bench, ledger) => behindHaproxy(bench, ledger, RETRIES),
  },
  {
    name: 'HAProxy, retries',
    promise: 'sent again to another server, POST too',
    settings: 'the same with retry-on all-retryable-errors',
    start: (bench, ledger) => behindHaproxy(bench, ledger, RETRY_ON),
  },
  {
    name: 'HAProxy, retries but for POST',
    promise: 'GET: sent again. POST: fails',
    settings: 'the same with http-request disable-l7-retry if METH_POST',
    start: (bench, ledger) => behindHaproxy(bench, ledger, [...RETRY_ON, 'http-request disable-l7-retry if METH_POST']),
  },
]
