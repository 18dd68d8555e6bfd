/** The commands of question F: how each is started and how it says that it is ready. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { versionOf } from '../../machine/conditions.mjs'
import * as bee from '../a-request-reply/contenders/bee-queue.mjs'
import * as bullmq from '../a-request-reply/contenders/bullmq.mjs'
import * as jobQueue from '../a-request-reply/contenders/job-queue.mjs'
import * as moleculer from '../a-request-reply/contenders/moleculer.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const main = join(root, 'dist', 'src', 'cli', 'main.js')
const appOf = (name) => fileURLToPath(new URL(`../../apps/${name}.mjs`, import.meta.url))
const env = { ...process.env, NODE_ENV: 'production', LOG_LEVEL: 'info', NO_COLOR: '1' }

/** By the name of the contender's file. */
const PEERS = { bullmq, moleculer, 'bee-queue': bee, 'job-queue': jobQueue }

/** `start` resolves when the process is ready: `{ child, pids }`, by name of the process; without a process it has ended. */
export function commandsOf({ children, redis, freePort }) {
  const url = ['--url', redis.url]
  const ownWorker = async () => {
    const { child, line } = await logged(['worker', appOf('plain'), ...url], 'a worker process is ready')
    return {
      child,
      pids: { 'takespace, supervisor of workers': child.pid, 'takespace, worker process': line.workerPid },
    }
  }
  const ownGateway = async () => {
    const { child } = await logged(['gateway', '--port', '0', ...url], 'listening')
    return { child, pids: { 'takespace, gateway': child.pid } }
  }
  const peer = async (file, { about }) => {
    const options = { contender: file, side: 'worker', url: redis.url, port: redis.port }
    const child = await children.fork(file, 'contender', options)
    return { child, pids: { [`${about.name}, worker`]: child.pid } }
  }
  const direct = async (app, name) => {
    const child = await children.fork(app, 'direct', { app: appOf(app), httpPort: await freePort() })
    return { child, pids: { [name]: child.pid } }
  }
  return [
    { name: 'node -e 0', start: () => ended(['-e', '0']) },
    { name: 'takespace --version', start: () => ended([main, '--version']) },
    { name: 'takespace --help', start: () => ended([main, '--help']) },
    { name: 'takespace gateway, until it listens', start: ownGateway },
    { name: 'takespace worker, until a process is ready', start: ownWorker },
    { name: 'Express 5 app on node:http', start: () => direct('express', 'Express 5 app on node:http') },
    ...Object.entries(PEERS)
      .filter(([, { about }]) => about.packages.every(versionOf))
      .map(([file, contender]) => ({ name: `${contender.about.name}, worker`, start: () => peer(file, contender) })),
  ]
}

async function ended(args) {
  await once(spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] }), 'exit')
  return { pids: {} }
}

/** Runs the command line until its log has this message. */
async function logged(args, message) {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text)
    if (line.msg === message) return { child, line }
  }
  throw new Error(`takespace ${args.join(' ')} ended before it said: ${message}`)
}

export async function stop({ child }) {
  child?.kill('SIGTERM')
  if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
