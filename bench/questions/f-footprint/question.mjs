/** Question F: start-up time, memory of idle processes and size of an install, beside other libraries. */
import { versionOf } from '../../machine/conditions.mjs'
import { commandsOf, stop } from './commands.mjs'
import { installed } from './install.mjs'
import { memoryOfProcesses } from './memory.mjs'

const START = 'start, ms'
const MEMORY = 'memory of the idle process, resident, MiB'
const INSTALL = 'install, MB on disk'
const PEERS = ['bullmq', 'moleculer', 'bee-queue', '@platformatic/job-queue', 'nats', 'amqplib', 'express']
const bound = (group, of, against, target) => ({ group, of, against, key: 'figure', target })

export const question = {
  letter: 'F',
  name: 'footprint',
  title: 'How quickly does it start, and how much memory and disk does it take?',
  how: `_Start_: from the start of the process until it listens, takes requests or ends. _Memory_: 40 s after the start, all
processes idle at the same time; _own_ is what no other process shares. _Install_: \`npm install --omit=dev\` of the packed
package into an empty folder, in blocks of 4 KiB; _own_ is the sum of the bytes.`,
  packages: PEERS,
  groups: [START, MEMORY, INSTALL],
  columns: [
    { key: 'figure', title: 'figure', digits: 1, spread: true },
    { key: 'own', title: 'own', digits: 1 },
    { key: 'files', title: 'files', digits: 0 },
  ],
  ratios: [
    bound(START, 'takespace --version', 'node -e 0'),
    bound(START, 'takespace worker, until a process is ready', 'node -e 0'),
    bound(INSTALL, 'takespace', 'bullmq'),
  ],
  chart: { kind: 'bars', key: 'figure', unit: 'less is better', ascending: true },
  contenders: ({ quick }) => [
    { name: 'start', measure: startOnce },
    // These do not differ from run to run.
    ...(quick ? [] : [{ name: 'memory', measure: once(memory) }]),
    ...(quick
      ? []
      : ['takespace', ...PEERS].map((name) => ({ name: `install of ${name}`, measure: once(install(name)) }))),
  ],
}

const once = (measure) => (bench, run) => (run === 0 ? measure(bench) : [])

async function startOnce(bench) {
  await bench.redis.empty()
  const samples = []
  for (const { name, start } of commandsOf(bench)) {
    const since = performance.now()
    const started = await start()
    const figure = performance.now() - since
    await stop(started)
    samples.push({ group: START, contender: name, values: { figure } })
  }
  return samples
}

async function memory(bench) {
  await bench.redis.empty()
  const all = await memoryOfProcesses(bench)
  return [...all].map(([contender, { rss, own }]) => ({ group: MEMORY, contender, values: { figure: rss, own } }))
}

const install = (name) => () => {
  const { onDisk, bytes, files } = installed(name === 'takespace' ? undefined : `${name}@${versionOf(name)}`).get('all')
  return { group: INSTALL, contender: name, values: { figure: onDisk, own: bytes, files } }
}
