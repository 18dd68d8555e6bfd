// One process of the workload. Its settings come as JSON in its one argument: name, role, dist, url, file, seed, groups. It goes on until
// SIGUSR2, then finishes what is under way and says `quiet`; on SIGTERM it closes its space and ends.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { canceller, counter, owner, trader, transactor } from './actors.js'
import { randomOf } from './random.js'
import { Recorder } from './recorder.js'
import { gateway, worker } from './requests.js'

const settings = JSON.parse(process.argv[2])
const { openSpace, defineEntry, ordered, ...conditions } = await import(
  pathToFileURL(join(settings.dist, 'src', 'index.js')).href
)

const recorder = new Recorder(settings.file, settings.name)
// Its link is cut again and again, also while it opens.
const space = await openSpace(settings.url, { name: 'history', connectTimeoutMs: 30_000 })
recorder.event('hello', { session: space.presence, pid: process.pid })

const stop = new AbortController()
let values = 0
const actors = {
  settings,
  space,
  recorder,
  stop: stop.signal,
  Item: defineEntry('Item', { index: ['group', ordered('place')] }),
  conditions,
  Tally: defineEntry('Tally', { index: [] }),
  random: randomOf(settings.seed),
  /** Different from every other value of the run. */
  value: () => `${settings.name}-${(++values).toString(36)}`,
}

const ROLES = {
  trader: () => [trader(actors), trader(actors), canceller(actors), transactor(actors), owner(actors), counter(actors)],
  gateway: () => [gateway(actors)],
  worker: () => [worker(actors)],
}
const running = settings.roles.flatMap((role) => ROLES[role]())

process.on('SIGUSR2', async () => {
  stop.abort()
  // A worker goes on until the gateways have their answers.
  await Promise.all(running.filter(({ lasting }) => !lasting).map(({ ended }) => ended))
  recorder.event('quiet', {})
  console.log('quiet')
})
process.on('SIGTERM', async () => {
  stop.abort()
  await Promise.all(running.map((actor) => actor.end?.()))
  await space.close()
  recorder.event('bye', {})
})
console.log('ready')
