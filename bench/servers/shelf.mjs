/** The servers of a question: each starts when a contender first needs it, and all end with the question. */
import { startRedis } from '../redis.mjs'
import { startNats, startRabbit } from './brokers.mjs'
import { LeftOut } from './left-out.mjs'

const STARTS = { redis: () => startRedis({ aof: false }), nats: startNats, rabbit: startRabbit }
const TITLES = { redis: 'Redis', nats: 'nats-server', rabbit: 'RabbitMQ' }

export class Shelf {
  #started = new Map()

  /** Resolves to the server. Throws LeftOut if it cannot be started, at each call and without another try. */
  get(name) {
    if (!this.#started.has(name)) {
      const start = STARTS[name]().catch((error) => {
        throw new LeftOut(error.message)
      })
      this.#started.set(name, start)
    }
    return this.#started.get(name)
  }

  /** Resolves to name → version of the servers that have been started. */
  async versions() {
    const all = await this.#settled()
    return Object.fromEntries(all.map(([name, { version }]) => [TITLES[name], version]))
  }

  async stop() {
    const all = await this.#settled()
    await Promise.all(all.map(([, server]) => server.stop()))
    this.#started.clear()
  }

  async #settled() {
    const all = await Promise.all(
      [...this.#started].map(async ([name, start]) => [name, await start.catch(() => null)]),
    )
    return all.filter(([, server]) => server)
  }
}
