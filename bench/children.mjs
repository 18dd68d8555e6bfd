/** The processes that a run is made of: started, listened to within a time limit, and ended, all of them and no others. */
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const START_MS = 20_000
const STOP_MS = 5_000

/** Production, as whoever compares would run both sides; quiet, because a log line per request would be measured too. */
const ENV = { ...process.env, NODE_ENV: 'production', LOG_LEVEL: 'warn', NO_COLOR: '1' }

const gone = (child) => child.exitCode !== null || child.signalCode !== null

export class Children {
  #running = new Set()
  #profileFolder

  /** With a folder, each process leaves a CPU profile in a sub-folder named by its role. */
  constructor(profileFolder) {
    this.#profileFolder = profileFolder
    process.once('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL')
    })
  }

  /** One of `bench/processes`; resolves when it says that it is ready. @param more environment beside ours */
  async fork(role, name, options, more = {}, startMs = START_MS) {
    const file = fileURLToPath(new URL(`processes/${name}.mjs`, import.meta.url))
    const terms = { execArgv: this.#execArgv(role), env: { ...ENV, ...more }, stdio: 'inherit' }
    const child = this.#keep(fork(file, [JSON.stringify(options)], terms), role)
    await heard(child, 'ready', startMs)
    return child
  }

  /** The takespace command, its log lines given to `onLog`; `more`: what it finds in its environment beside ours. */
  command(role, args, { logLevel = 'warn', onLog, more } = {}) {
    const main = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url))
    const env = { ...ENV, LOG_LEVEL: logLevel, ...more }
    const stdio = ['ignore', 'pipe', 'inherit']
    const child = spawn(process.execPath, [...this.#execArgv(role), main, ...args], { env, stdio })
    createInterface({ input: child.stdout }).on('line', (line) => onLog?.(JSON.parse(line)))
    return this.#keep(child, `takespace ${args[0]}`)
  }

  /** A program of the system; ended as the others are. */
  program(role, command, args, env = process.env) {
    return this.#keep(spawn(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] }), role)
  }

  #execArgv(role) {
    return this.#profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${this.#profileFolder}/${role}`] : []
  }

  #keep(child, name) {
    child.benchName = name
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    child.once('error', () => this.#running.delete(child))
    return child
  }

  /** Ends all. A second SIGTERM means "at once" to those that drain; then they are killed. */
  async end() {
    const children = [...this.#running]
    const tell = (signal) => {
      for (const child of children) if (!gone(child)) child.kill(signal)
    }
    tell('SIGTERM')
    const timers = [setTimeout(tell, STOP_MS, 'SIGTERM'), setTimeout(tell, 2 * STOP_MS, 'SIGKILL')]
    await Promise.all(children.map((child) => gone(child) || once(child, 'exit')))
    for (const timer of timers) clearTimeout(timer)
  }
}

/** The message of a child that has this name. Rejects when the child ends, says that it failed, or takes too long. */
export function heard(child, type, withinMs) {
  return new Promise((resolve, reject) => {
    const settle = (act, value) => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit).off('error', onError)
      act(value)
    }
    const fail = (why) => settle(reject, new Error(`${child.benchName} ${why}`))
    const onMessage = (message) => {
      if (message.type === type) settle(resolve, message)
      else if (message.type === 'failed') fail(`failed: ${message.why}`)
    }
    const onExit = (code, signal) => fail(`ended (${signal ?? code}) before it was ${type}`)
    const onError = (error) => fail(`cannot be started: ${error.message}`)
    const timer = setTimeout(() => fail(`was not ${type} within ${withinMs} ms`), withinMs)
    child.on('message', onMessage).once('exit', onExit).once('error', onError)
  })
}
