/** What one request makes a session store do: load a session, make a Session of it, change it, save it. Each lane has sessions of its own. */
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { createClient } from 'redis'
import { openSpace } from '../../dist/src/index.js'
import { SpaceSessionStore } from '../../dist/src/session/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'

const { library, url, name, inFlight, kilobytes, policy } = options
const MAX_AGE_MS = 30 * 60_000
const SESSIONS_EACH = 20
const FILLER = 'x'.repeat(1024)

const store = library === 'takespace' ? await ours() : await theirs()

async function ours() {
  return new SpaceSessionStore({ space: await openSpace(url, { name }), policy })
}

/** With the client and the settings that its README shows. */
async function theirs() {
  const client = createClient({ url })
  await client.connect()
  return new RedisStore({ client, prefix: `${name}:` })
}

const call = (method, ...args) =>
  new Promise((resolve, reject) => {
    store[method](...args, (error, result) => (error ? reject(error) : resolve(result)))
  })

/** 1 KiB that is another one each time. */
const kilobyte = (n) => `${n}:${FILLER}`.slice(0, 1024)

const cookieOf = () => new session.Cookie({ maxAge: MAX_AGE_MS })
const lanes = []
for (let lane = 0; lane < inFlight; lane++) {
  const own = Array.from({ length: SESSIONS_EACH }, (_, i) => ({ id: `${name}-${lane}-${i}-0123456789abcdef`, n: 0 }))
  for (const { id } of own) {
    const rest = Object.fromEntries(Array.from({ length: kilobytes - 1 }, (_, i) => [`rest${i}`, kilobyte(i)]))
    await call('set', id, { cookie: cookieOf(), n: 0, last: kilobyte(0), ...rest })
  }
  lanes.push(own)
}

const free = [...lanes]
await closedLoop(async () => {
  const own = free.pop()
  try {
    const known = own[Math.floor(Math.random() * own.length)]
    const loaded = await call('get', known.id)
    const sess = store.createSession({ sessionID: known.id, sessionStore: store }, loaded)
    if (sess.n !== known.n) throw new Error(`a session was at ${known.n} and came as ${sess.n}`)
    sess.n = ++known.n
    sess.last = kilobyte(sess.n)
    sess.touch()
    await call('set', known.id, sess)
  } finally {
    free.push(own)
  }
})
