/**
 * The time that requests take inside Redis: `node bench/fcall.mjs [FOLDER] [--turns 7]` drives the function library of
 * this build, and that of another one in turns with it, in lock step and without takespace's processes. Prints the
 * microseconds of FCALL per request, in which other load on the machine shows little, and the commands per call.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { median } from './median.mjs'
import { startRedis } from './redis.mjs'

/** `each`: requests per call. `workers` offer `credit` each. */
const CASES = {
  'one alone': { each: 1, workers: 2, credit: 512, rounds: 500 },
  'one alone, 200 workers of credit 1': { each: 1, workers: 200, credit: 1, rounds: 500 },
  '16 in flight': { each: 16, workers: 1, credit: 512, rounds: 150 },
  '64 in flight': { each: 64, workers: 1, credit: 512, rounds: 50 },
  '64 in flight, 2 workers': { each: 64, workers: 2, credit: 512, rounds: 50 },
}
/** The end of the leases of presences, ms: none of them ends while it waits for its turn. */
const NEVER = 9_999_999_999_998
const REQUESTER = 'AaInLcsTdb2TBDmEzvtL1A'
const NONCE = '.mY0X'
const BODY = `["POST","/","1.1","127.0.0.1",0,[]]\n${'x'.repeat(200)}`
const OUTCOME = `c[200,"",[]]\n${'x'.repeat(200)}`
const WARM_UP = 0.3
const MOST_LOGGED = 100_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { turns: { type: 'string', default: '7' }, cases: { type: 'string', default: '' } },
})
const here = fileURLToPath(new URL('..', import.meta.url))
const builds = { this: here, ...(positionals[0] && { other: resolve(positionals[0]) }) }

const nameOf = (n) => `AaInLcr7cS2Urk5O${String(n).padStart(6, '0')}`

/** The items of a push, behind its first line. */
function itemsOf(message) {
  const items = []
  for (let at = message.indexOf('\n') + 1; at < message.length; ) {
    const first = message.indexOf('\t', at)
    const second = message.indexOf('\t', first + 1)
    const line = message.indexOf('\n', second + 1)
    items.push([message.slice(at + 1, first), message.slice(first + 1, second)])
    at = line + 1 + Number(message.slice(second + 1, line))
  }
  return items
}

/** A space with its requester and its workers, all on three connections. */
class Driver {
  #calls
  #admin
  #pushes
  #library
  #keys
  #options
  #numbers = new Map()
  #items = new Map()
  #arrived = []
  #id = 0
  #wanted
  #run

  constructor(redis, library, name, options) {
    const connect = () => new Redis(redis.port, '127.0.0.1', { enableAutoPipelining: false })
    this.#calls = connect()
    this.#pushes = connect()
    this.#admin = connect()
    this.#library = library
    this.#keys = `{ts:${name}}:`
    this.#options = options
  }

  async start() {
    this.#run = /run_id:(\w+)/.exec(await this.#admin.info('server'))[1]
    const workers = Array.from({ length: this.#options.workers }, (_, n) => nameOf(n))
    const take = (channel, message) => this.#take(channel.slice(-22), message)
    this.#pushes.on('message', take).on('smessage', take)
    for (const presence of [REQUESTER, ...workers]) {
      // As releases before and since the sharded channels publish.
      await this.#pushes.subscribe(`${this.#keys}pushes:${presence}`)
      await this.#pushes.ssubscribe(`${this.#keys}pushes:${presence}`)
      await this.#batch(presence, 'h')
      await this.#batch(presence, 'n', 'sync', 1, '')
      await this.#admin.zadd(`${this.#keys}presences`, NEVER, presence)
    }
    const template = 'takespace.Request\ttakespace.Request\tservice=s:echo\t\t'
    for (const worker of workers) await this.#batch(worker, 'n', 'offer', 1, 'o1', this.#options.credit, template, '')
  }

  /** Returns the µs of FCALL per request, and the commands per call. */
  async measure() {
    const { rounds, each } = this.#options
    for (let n = 0; n < rounds * WARM_UP; n++) await this.#round()
    await this.#admin.config('RESETSTAT')
    await this.#admin.slowlog('RESET')
    for (let n = 0; n < rounds; n++) await this.#round()
    const took = { write: [], complete: [] }
    for (const [, , us, command] of await this.#admin.slowlog('GET', MOST_LOGGED)) took[command[9]]?.push(us)
    const stats = await this.#admin.info('commandstats')
    const counts = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, calls]) => [name, Number(calls)])
    const calls = Object.fromEntries(counts).fcall
    const commands = counts.filter(([name]) => !/^(fcall|config|slowlog)/.test(name))
    // The median call of each kind: the mean has the calls during which the system has run another process.
    const us = Object.values(took).reduce((sum, all) => sum + (median(all) * all.length) / rounds / each, 0)
    return {
      us,
      commands: commands.reduce((sum, [, count]) => sum + count, 0) / calls,
      by: Object.fromEntries(commands.map(([name, count]) => [name, count / calls])),
    }
  }

  end() {
    for (const connection of [this.#calls, this.#pushes, this.#admin]) connection.disconnect()
  }

  #take(presence, message) {
    const list = this.#items.get(presence) ?? []
    list.push(...itemsOf(message))
    this.#items.set(presence, list)
    this.#wanted?.()
  }

  /** Resolves when this many items have come to these presences. */
  async #come(count, isTheirs) {
    const had = () => [...this.#items].reduce((sum, [name, list]) => sum + (isTheirs(name) ? list.length : 0), 0)
    while (had() < count)
      await new Promise((wake) => {
        this.#wanted = wake
      })
  }

  async #batch(presence, mode, ...operations) {
    const number = this.#numbers.get(presence) ?? 0
    this.#numbers.set(presence, number + 1)
    const head = [`${this.#library}_batch`, 1, `${this.#keys}m`, presence, number, this.#run, mode, NONCE]
    const reply = await this.#calls.call('FCALL', ...head, ...operations)
    if (reply[0][0] === '!') throw new Error(reply[0])
  }

  async #round() {
    const { each } = this.#options
    const header = `30000 0 q.${REQUESTER}3|@takespace.Request|service=s:echo|;|`
    const operations = ['write', each]
    for (let n = 0; n < each; n++)
      operations.push(n ? '' : header, `eN6Z2C${(this.#id++).toString(36)}`, `01234567${BODY}`)
    if (this.#arrived.length) operations.push('outcomesArrived', 1, this.#arrived.join(' '))
    await this.#batch(REQUESTER, 'n', ...operations)
    await this.#come(each, (name) => name !== REQUESTER)
    for (const [worker, items] of [...this.#items]) {
      if (worker === REQUESTER) continue
      this.#items.delete(worker)
      const done = ['complete', items.length]
      for (const [n, [, claim]] of items.entries()) done.push(n ? '' : `o1 1 . ${REQUESTER}`, claim, OUTCOME)
      await this.#batch(worker, 'n', ...done)
    }
    await this.#come(each, (name) => name === REQUESTER)
    this.#arrived = this.#items.get(REQUESTER).map(([id]) => id)
    this.#items.clear()
  }
}

const redis = await startRedis({ aof: false })
try {
  const admin = new Redis(redis.port, '127.0.0.1')
  await admin.config('SET', 'slowlog-log-slower-than', 0, 'slowlog-max-len', MOST_LOGGED)
  const libraries = {}
  for (const [build, folder] of Object.entries(builds)) {
    // A build before decision 0021 has the modules one by one.
    const places = ['dist/chunks', 'dist/src/engines/redis'].map((place) =>
      resolve(folder, place, 'library.generated.js'),
    )
    const module = places.find(existsSync)
    const { LIBRARY_SOURCE } = await import(pathToFileURL(module))
    libraries[build] = `takespace_bench_${build}`
    const code = `#!lua name=${libraries[build]}\n${LIBRARY_SOURCE.replaceAll('VERSION_', `${libraries[build]}_`)}`
    await admin.call('FUNCTION', 'LOAD', 'REPLACE', code)
  }
  admin.disconnect()
  for (const [title, options] of Object.entries(CASES)) {
    if (!title.includes(values.cases)) continue
    const drivers = {}
    for (const build of Object.keys(builds)) {
      drivers[build] = new Driver(redis, libraries[build], `${build}-${title.replaceAll(/\W/g, '-')}`, options)
      await drivers[build].start()
    }
    const all = Object.fromEntries(Object.keys(builds).map((build) => [build, []]))
    for (let turn = 0; turn <= Number(values.turns); turn++)
      // The first turn is thrown away: in it all memory is new.
      for (const build of Object.keys(builds)) {
        const found = await drivers[build].measure()
        if (turn > 0) all[build].push(found)
      }
    for (const driver of Object.values(drivers)) driver.end()
    const figures = Object.entries(all).map(([build, found]) => {
      const us = median(found.map((each) => each.us))
      if (process.env.COMMANDS) console.log(found.at(-1).by)
      return `${build} ${us.toFixed(2)} µs, ${median(found.map((each) => each.commands)).toFixed(1)} commands a call`
    })
    const ratio = all.other && median(all.this.map(({ us }, n) => us / all.other[n].us)).toFixed(2)
    console.log(`${title}: ${figures.join('; ')}${ratio ? `; this ÷ other ${ratio}` : ''}`)
  }
} finally {
  await redis.stop()
}
