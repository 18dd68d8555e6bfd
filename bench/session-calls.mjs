/**
 * Where the time of a session store goes: `node bench/session-calls.mjs [FOLDER] [--blocks 40] [--size 300] [--only 1]`
 * runs requests of one process in short turns: this build, that of another FOLDER, connect-redis, on one server. Prints
 * per request, with one and 64 in flight, changing the session or only renewing it: µs, µs of the process's CPU (median
 * and quartiles of the turns), and the commands of Redis with their µs.
 */
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { startRedis } from './redis.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    blocks: { type: 'string', default: '40' },
    size: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
  },
})
const size = Number(values.size)
/** Requests in flight, and whether they change the session. */
const CASES = { 'save, 1': [1, true], 'touch, 1': [1, false], 'save, 64': [64, true], 'touch, 64': [64, false] }
const MAX_AGE_MS = 30 * 60_000
const FILLER = 'x'.repeat(1024)
const kilobyte = (n) => `${n}:${FILLER}`.slice(0, 1024)
const here = fileURLToPath(new URL('..', import.meta.url))

const redis = await startRedis({ aof: false })
const admin = new Redis(redis.port, '127.0.0.1')
const closing = []

async function ours(folder, name) {
  const load = (module) => import(pathToFileURL(resolve(folder, 'dist/src', module)))
  const { openSpace } = await load('index.js')
  const { SpaceSessionStore } = await load('session/index.js')
  const space = await openSpace(redis.url, { name })
  closing.push(() => space.close())
  return new SpaceSessionStore({ space })
}
async function theirs() {
  const client = createClient({ url: redis.url })
  await client.connect()
  closing.push(() => client.close())
  return new RedisStore({ client, prefix: 'theirs:' })
}
const stores = {
  this: await ours(here, 'this'),
  ...(positionals[0] && { other: await ours(positionals[0], 'other') }),
  'connect-redis': await theirs(),
}
const call = (store, method, ...args) =>
  new Promise((resolve, reject) => store[method](...args, (error, result) => (error ? reject(error) : resolve(result))))

const known = new Map()
const IDS = Array.from({ length: 64 }, (_, i) => `session-${i}-0123456789abcdef`)
for (const store of Object.values(stores)) {
  const own = new Map()
  known.set(store, own)
  for (const id of IDS) {
    await call(store, 'set', id, { cookie: new session.Cookie({ maxAge: MAX_AGE_MS }), n: 0, last: kilobyte(0) })
    own.set(id, 0)
  }
}
async function request(store, id, changes) {
  const loaded = await call(store, 'get', id)
  const sess = store.createSession({ sessionID: id, sessionStore: store }, loaded)
  const own = known.get(store)
  if (sess.n !== own.get(id)) throw new Error('lost')
  sess.touch()
  if (!changes) return call(store, 'touch', id, sess)
  sess.n++
  own.set(id, sess.n)
  sess.last = kilobyte(sess.n)
  await call(store, 'set', id, sess)
}
const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.floor(list.length * q)]
const spread = (list) =>
  `${quantile(list, 0.5).toFixed(2)} (${quantile(list, 0.25).toFixed(2)}–${quantile(list, 0.75).toFixed(2)})`

/** One turn of one store: µs, µs of this process's CPU, and commands with µs in Redis, all per request. */
async function turn(store, lanes, changes) {
  const each = size * (lanes === 1 ? 1 : 4)
  let left = each
  await admin.config('RESETSTAT')
  const cpu = process.cpuUsage()
  const began = process.hrtime.bigint()
  const lane = async (id) => {
    while (left-- > 0) await request(store, id, changes)
  }
  await Promise.all(IDS.slice(0, lanes).map(lane))
  const us = Number(process.hrtime.bigint() - began) / 1000 / each
  const { user, system } = process.cpuUsage(cpu)
  const stats = await admin.info('commandstats')
  const commands = new Map()
  for (const [, command, calls, usec] of stats.matchAll(/cmdstat_([^:]+):calls=(\d+),usec=(\d+)/g)) {
    if (/config|info/.test(command)) continue
    commands.set(command, [Number(calls) / each, Number(usec) / each])
  }
  return { us, cpu: (user + system) / each, commands }
}

function print(name, turns, beside) {
  const totals = new Map()
  for (const { commands } of turns) {
    for (const [command, [calls, us]] of commands) {
      const [c, u] = totals.get(command) ?? [0, 0]
      totals.set(command, [c + calls / turns.length, u + us / turns.length])
    }
  }
  const commands = [...totals]
    .filter(([, [calls]]) => calls > 0.02)
    .map(([command, [calls, us]]) => `${command} ${calls.toFixed(2)} × ${(us / calls).toFixed(1)} µs`)
  console.log(
    `${name}: ${spread(turns.map(({ us }) => us))} µs, client CPU ${spread(turns.map(({ cpu }) => cpu))} µs,`,
    `speed ÷ connect-redis ${spread(turns.map(({ us }, i) => beside[i].us / us))}; ${commands.join(', ')}`,
  )
}

for (const [title, [lanes, changes]] of Object.entries(CASES)) {
  if (!title.includes(values.only)) continue
  const turns = Object.fromEntries(Object.keys(stores).map((name) => [name, []]))
  for (let block = -2; block < Number(values.blocks); block++) {
    for (const [name, store] of Object.entries(stores)) {
      const measured = await turn(store, lanes, changes)
      if (block >= 0) turns[name].push(measured)
    }
  }
  console.log(`## ${title} in flight`)
  for (const [name, each] of Object.entries(turns)) print(name, each, turns['connect-redis'])
}
for (const close of closing) await close()
admin.disconnect()
await redis.stop()
