/**
 * `npm run test:runtimes`: the suites of promises, gateway, workers and whole under each supported Node, and a smoke test of Bun and Deno: library and command
 * line. `-- --only 22,bun` runs some of them, `-- --suites test/workers` other suites. Exits with 1 if anything failed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { environmentOf, NODES, OTHERS, runtime } from '../../.ci/runtimes.mjs'
import { freePort, startRedis } from '../../bench/redis.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
const SMOKE = fileURLToPath(new URL('smoke.mjs', import.meta.url))
const APP = fileURLToPath(new URL('app.mjs', import.meta.url))
const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js']
const SUITES = 'test/workers,test/gateway,test/promises,test/whole'
const SMOKE_MS = 60_000
const ARGS = { bun: ['run'], deno: ['run', '--allow-all'] }

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: [...NODES, ...OTHERS].join(',') },
    suites: { type: 'string', default: SUITES },
  },
})

/** Runs Jest under this Node. Returns the lines in which it sums up. */
async function suites(binary) {
  const child = spawn(binary, [...JEST, ...values.suites.split(',')], {
    cwd: ROOT,
    env: environmentOf(binary),
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
    process.stderr.write(text)
  })
  const [code] = await once(child, 'close')
  const summary = [...said.matchAll(/^(Test Suites|Tests|Time): +(.*)$/gm)].map(([, name, text]) => `${name}: ${text}`)
  return { ok: code === 0, lines: summary }
}

/** A command of this runtime, in a group of its own; `line` resolves when its output matches. */
function start(name, binary, args, env = {}) {
  const child = spawn(binary, [...(ARGS[name] ?? []), ...args], {
    cwd: ROOT,
    env: { ...environmentOf(binary), ...env },
    detached: true,
  })
  let said = ''
  const heard = new Set()
  for (const out of [child.stdout, child.stderr]) {
    out.on('data', (text) => {
      said += text
      for (const look of heard) look()
    })
  }
  const exited = once(child, 'exit')
  const line = (pattern) =>
    new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${why}: ${args.join(' ')} said\n${said}`))
      const timer = setTimeout(() => fail('nothing came'), SMOKE_MS)
      const look = () => {
        const match = pattern.exec(said)
        if (!match) return
        clearTimeout(timer)
        heard.delete(look)
        resolve(match)
      }
      heard.add(look)
      void exited.then(() => {
        clearTimeout(timer)
        look()
        fail('it ended')
      })
      look()
    })
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
  return { line, end, exited, kill: () => child.kill('SIGTERM') }
}

/** The library in memory and on Redis; then `dev`, and `gateway` and `worker` on Redis, which answer, are told to stop, and stop. */
async function smoke(name, binary) {
  const redis = await startRedis({ aof: true })
  const running = []
  const begin = (args) => {
    const command = start(name, binary, args, { TAKESPACE_URL: redis.url })
    running.push(command)
    return command
  }
  try {
    await begin([SMOKE, redis.url]).line(/smoke: fine/)
    const port = await freePort()
    const dev = begin([CLI, 'dev', APP, '--port', String(port)])
    await dev.line(/http:\/\/\S+:\d+/)
    const seen = [await (await fetch(`http://127.0.0.1:${port}/`)).text()]
    const gateway = begin([CLI, 'gateway', '--port', '0'])
    const worker = begin([CLI, 'worker', APP])
    const [, url] = await gateway.line(/"url":"([^"]+)"/)
    await worker.line(/a worker process is ready/)
    seen.push(await (await fetch(url)).text())
    await begin([CLI, 'enqueue', 'runtime', '{}', '--wait']).line(new RegExp(name))
    for (const command of [dev, worker, gateway]) command.kill()
    for (const { exited } of [dev, worker, gateway]) await exited
    const ok = seen.every((text) => text === name)
    return { ok, lines: [`library, dev, gateway, worker and enqueue: ${ok ? 'fine' : `answered by ${seen}`}`] }
  } finally {
    for (const { end } of running) end()
    await redis.stop()
  }
}

const table = []
for (const name of values.only.split(',')) {
  try {
    const binary = runtime(name)
    const { ok, lines } = OTHERS.includes(name) ? await smoke(name, binary) : await suites(binary)
    table.push({ name, ok, text: lines.join('; ') })
  } catch (error) {
    table.push({ name, ok: false, text: error.message })
  }
}
for (const { name, ok, text } of table) console.log(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(5)} ${text}`)
process.exit(table.every(({ ok }) => ok) ? 0 : 1)
