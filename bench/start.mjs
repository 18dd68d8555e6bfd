/**
 * `npm run bench:start`: how long commands take to start, how much memory idle processes hold, and how large an install is.
 * `-- --runs 11` sets the number of starts of which the median is printed; `-- --install` also packs and installs the package.
 */
import { parseArgs } from 'node:util'
import { figure, table } from './answer/table.mjs'
import { Children } from './children.mjs'
import { median } from './median.mjs'
import { commandsOf, stop } from './questions/f-footprint/commands.mjs'
import { installed } from './questions/f-footprint/install.mjs'
import { memoryOfProcesses } from './questions/f-footprint/memory.mjs'
import { freePort, startRedis } from './redis.mjs'

const MOST_PACKAGES = 15
const { values } = parseArgs({ options: { runs: { type: 'string', default: '11' }, install: { type: 'boolean' } } })
// As an exit: the server and the processes are ended with it.
process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143))
const redis = await startRedis({ aof: false })
const bench = { redis, freePort, children: new Children() }

async function timesOfStart() {
  const commands = commandsOf(bench)
  const times = new Map(commands.map(({ name }) => [name, []]))
  // In turns, so that other work on the machine disturbs all of them.
  for (let run = 0; run < Number(values.runs); run++) {
    for (const { name, start } of commands) {
      const since = performance.now()
      const started = await start()
      times.get(name).push(performance.now() - since)
      await stop(started)
    }
  }
  const bare = median(times.values().next().value)
  return [...times].map(([name, all]) => {
    const [least, most] = [Math.min(...all), Math.max(...all)].map((value) => figure(value, 0))
    return [name, figure(median(all), 0), `${least}–${most}`, figure(median(all) / bare, 1)]
  })
}

async function memory() {
  const all = [...(await memoryOfProcesses(bench))]
  return all.map(([name, { rss, own }]) => [name, figure(rss, 1), figure(own, 1), figure(rss / all[0][1].rss, 2)])
}

const install = () =>
  [...installed()]
    .sort(([, a], [, b]) => b.onDisk - a.onDisk)
    .slice(0, MOST_PACKAGES + 1)
    .map(([name, { onDisk, bytes, files }]) => [name, figure(onDisk, 1), figure(bytes, 1), String(files)])

const print = (title, head, rows) => process.stdout.write(`## ${title}\n\n${table(head, rows, 1)}\n\n`)

try {
  process.stdout.write(`${values.runs} runs; Node ${process.versions.node}; Redis ${redis.version}\n\n`)
  print('Start', ['', 'median ms', 'min–max', '÷ node -e 0'], await timesOfStart())
  print('Memory of idle processes', ['', 'RSS, MiB', 'unshared, MiB', '÷ node -e 0'], await memory())
  if (values.install) print('Install', ['', 'on disk, MB', 'bytes, MB', 'files'], install())
} finally {
  await bench.children.end()
  await redis.stop()
}
