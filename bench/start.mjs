/**
 * `npm run bench:start`: how long commands take to start, how much memory their idle processes hold, and how large an
 * install is, beside a bare `node -e 0`. `-- --runs 11` sets the number of starts of which the median is printed;
 * `-- --install` also packs the package and installs it into an empty folder, from the registry.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './median.mjs'
import { startRedis } from './redis.mjs'

const { values } = parseArgs({ options: { runs: { type: 'string', default: '11' }, install: { type: 'boolean' } } })
const runs = Number(values.runs)
const root = fileURLToPath(new URL('..', import.meta.url))
const main = join(root, 'dist', 'src', 'cli', 'main.js')
const app = fileURLToPath(new URL('apps/plain.mjs', import.meta.url))
/** From ready to idle: V8 collects the garbage of the start, and shrinks its heap, after half a minute. */
const SETTLE_MS = 40_000
const env = { ...process.env, NODE_ENV: 'production', LOG_LEVEL: 'info', NO_COLOR: '1' }

const running = new Set()
// As an exit: the server and the processes are ended with it.
process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143))
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
const redis = await startRedis({ aof: false })
const gateway = ['gateway', '--port', '0', '--url', redis.url]
const worker = ['worker', app, '--url', redis.url]

/** Runs a command until its line of the log, or its end without one. Returns the time, its process, and that line. */
async function start(args, message) {
  const since = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', message ? 'pipe' : 'ignore', 'inherit'] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  if (!message) {
    await once(child, 'exit')
    return { ms: performance.now() - since }
  }
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text)
    if (line.msg === message) return { ms: performance.now() - since, child, line }
  }
  throw new Error(`${args.join(' ')} ended before it said: ${message}`)
}

async function stop(child) {
  child.kill('SIGTERM')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

const COMMANDS = [
  ['node -e 0', ['-e', '0']],
  ['takespace --version', [main, '--version']],
  ['takespace --help', [main, '--help']],
  ['takespace gateway, until it listens', [main, ...gateway], 'listening'],
  ['takespace worker, until a process is ready', [main, ...worker], 'a worker process is ready'],
]

async function timesOfStart() {
  const times = COMMANDS.map(() => [])
  // In turns, so that other work on the machine disturbs all of them.
  for (let run = 0; run < runs; run++) {
    for (const [i, [, args, message]] of COMMANDS.entries()) {
      const { ms, child } = await start(args, message)
      times[i].push(ms)
      if (child) await stop(child)
    }
  }
  const bare = median(times[0])
  return COMMANDS.map(([name], i) => {
    const [middle, least, most] = [median(times[i]), Math.min(...times[i]), Math.max(...times[i])].map(Math.round)
    return [name, `${middle}`, `${least}–${most}`, (median(times[i]) / bare).toFixed(1)]
  })
}

/** In MB: resident, and the part that is not shared with other processes. Linux tells both, others the first. */
function memoryOf(pid) {
  const file = `/proc/${pid}/smaps_rollup`
  if (!existsSync(file)) {
    return [Number(spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout) / 1024]
  }
  const text = readFileSync(file, 'utf8')
  const kB = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1])
  return [kB('Rss') / 1024, (kB('Private_Clean') + kB('Private_Dirty')) / 1024]
}

async function memoryOfProcesses() {
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  const aGateway = await start([main, ...gateway], 'listening')
  const aWorker = await start([main, ...worker], 'a worker process is ready')
  await pause(SETTLE_MS)
  const processes = [
    ['node -e 0, kept running', bare.pid],
    ['gateway', aGateway.child.pid],
    ['supervisor of workers', aWorker.child.pid],
    ['worker process', aWorker.line.workerPid],
  ]
  const found = processes.map(([name, pid]) => [name, memoryOf(pid)])
  for (const child of [bare, aGateway.child, aWorker.child]) await stop(child)
  return found.map(([name, [rss, own]]) => [
    name,
    rss.toFixed(1),
    own === undefined ? '–' : own.toFixed(1),
    (rss / found[0][1][0]).toFixed(2),
  ])
}

/** Bytes of files, and what they take on a disk of blocks of 4 KiB, in MB. */
function sizeOf(folder) {
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => statSync(join(file.parentPath, file.name)).size)
  const sum = (values) => values.reduce((total, value) => total + value, 0) / 1e6
  return [sum(sizes), sum(sizes.map((size) => Math.ceil(size / 4_096) * 4_096)), sizes.length]
}

function sizeOfInstall() {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-bench-'))
  const npm = (args, cwd) => {
    const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
    if (status !== 0) throw new Error(`npm ${args[0]} failed:\n${stderr}`)
  }
  try {
    npm(['pack', '--pack-destination', folder], root)
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    npm(['install', `./${packed}`, '--no-audit', '--no-fund'], folder)
    const modules = join(folder, 'node_modules')
    const names = readdirSync(modules).flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : name,
    )
    const rows = names
      .filter((name) => !name.startsWith('.'))
      .map((name) => [name, sizeOf(join(modules, name))])
      .sort(([, [, a]], [, [, b]]) => b - a)
    return [['all', sizeOf(modules)], ...rows.slice(0, 15)].map(([name, [bytes, blocks, files]]) => [
      name,
      blocks.toFixed(1),
      bytes.toFixed(1),
      `${files}`,
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Markdown, as of the other benchmarks. */
function print(title, ...rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [head, ...body] = rows.map(line)
  process.stdout.write(`## ${title}\n\n${[head, rule, ...body].join('\n')}\n\n`)
}

try {
  process.stdout.write(`${runs} runs; Node ${process.versions.node}; Redis ${redis.version}\n\n`)
  const timeHead = ['', 'median ms', 'min–max', '÷ node -e 0']
  print('Start', timeHead, ...(await timesOfStart()))
  print('Memory of idle processes', ['', 'RSS, MB', 'unshared, MB', '÷ node -e 0'], ...(await memoryOfProcesses()))
  if (values.install) print('Install', ['', 'on disk, MB', 'bytes, MB', 'files'], ...sizeOfInstall())
} finally {
  await redis.stop()
}
