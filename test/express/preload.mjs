/**
 * Preloaded by Mocha in Express's tests: an http.Server that listens on any free port is served by a worker, and its
 * address is that of a gateway. Others listen themselves.
 */
import { writeFileSync } from 'node:fs'
import { Server } from 'node:http'

const dist = new URL('../../dist/', import.meta.url)
const { openSpace } = await import(new URL('src/index.js', dist).href)
const { createGateway } = await import(new URL('gateway/index.js', dist).href)
const { createWorker } = await import(new URL('workers/index.js', dist).href)

/** No test has more servers: a gateway takes a while to start, and `listen()` is synchronous. */
const MOST_OF_A_TEST = 24
/** To start the gateways of a test, and to close all that are left. */
const MOST_MS = 120_000

const { SUITE_SPACE: url, SUITE_COUNT: countFile } = process.env
const { listen, address, close } = Server.prototype
const ready = []
const open = new Set()
const fronts = new WeakMap()
let servers = 0
let spaces = 0

async function refill() {
  while (ready.length < MOST_OF_A_TEST) {
    const space = await openSpace(url, { name: `suite${spaces++}`, connectTimeoutMs: MOST_MS })
    const gateway = createGateway({ space, port: 0, trustProxy: 'loopback' })
    await gateway.start()
    ready.push({ space, gateway })
  }
}

Server.prototype.listen = function (...args) {
  const [port = 0, ...others] = args.filter((arg) => typeof arg !== 'function')
  const isAny = port === 0 && others.length === 0
  if (isAny && ready.length === 0) throw new Error(`A test has more than ${MOST_OF_A_TEST} servers.`)
  if (!isAny) return listen.apply(this, args)
  servers++
  const front = ready.shift()
  open.add(front)
  fronts.set(this, front)
  const callback = args.find((arg) => typeof arg === 'function')
  if (callback) this.once('listening', callback)
  const worker = createWorker({ space: front.space, app: this, concurrency: 16 })
  worker.start().then(() => process.nextTick(() => this.emit('listening')))
  return this
}

Server.prototype.address = function () {
  const front = fronts.get(this)
  if (!front) return address.call(this)
  return { address: '127.0.0.1', family: 'IPv4', port: Number(new URL(front.gateway.url).port) }
}

Server.prototype.close = function (callback) {
  const front = fronts.get(this)
  if (!front) return close.call(this, callback)
  fronts.delete(this)
  // As in Node.js: the connections have ended, whatever the app still does. Its worker waits for its handlers.
  front.gateway.stop().finally(() => {
    this.emit('close')
    callback?.()
    front.space.close().then(() => open.delete(front))
  })
  return this
}

export const mochaHooks = {
  beforeEach() {
    this.timeout(MOST_MS)
    return refill()
  },
  async afterAll() {
    this.timeout(MOST_MS)
    await Promise.all([...open, ...ready].map(({ space }) => space.close()))
    writeFileSync(countFile, String(servers))
  },
}
