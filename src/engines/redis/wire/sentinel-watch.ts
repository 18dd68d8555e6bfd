/**
 * The watch on a Sentinel: it tells at once when another server becomes the primary. The old one may go on for seconds
 * without knowing, and its connections with it.
 */
import { type Address, type HostAndPort, type Seeds, sentinelLoginOf } from './address.js'
import { ATTEMPT_MS, bareTerms, newClient, type RedisClient, release } from './client.js'
import { primaryNamed } from './primary.js'

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 2_000
const SWITCH = '+switch-master'

export class SentinelWatch {
  readonly #address: Address
  readonly #seeds: Seeds
  readonly #onPrimary: (place: HostAndPort) => void
  #client: RedisClient | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  /** Which of the Sentinels is asked next. */
  #next = 0
  #closed = false

  /** `onPrimary` is called with each primary that a Sentinel names, also with the one of before. */
  constructor(address: Address, seeds: Seeds, onPrimary: (place: HostAndPort) => void) {
    this.#address = address
    this.#seeds = seeds
    this.#onPrimary = onPrimary
  }

  /** Begins, if it has not. */
  start(): void {
    if (this.#closed || this.#client || this.#retry) return
    this.#subscribe().catch(() => this.#later())
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    if (this.#client) release(this.#client)
  }

  async #subscribe(): Promise<void> {
    const { hosts, primary } = this.#seeds
    const login = await sentinelLoginOf(this.#seeds)
    const host = hosts[this.#next++ % hosts.length]!
    const client = newClient(await bareTerms(this.#address, host, login), { connectTimeout: ATTEMPT_MS })
    this.#client = client
    // Every error also ends the connection.
    client.on('error', () => {})
    client.on('end', () => this.#later())
    client.on('message', (_channel: string, message: string) => {
      const [name, , , newHost = '', port] = message.split(' ')
      if (name === primary) this.#onPrimary({ host: newHost, port: Number(port) })
    })
    const bound = setTimeout(() => release(client), ATTEMPT_MS)
    try {
      await client.connect()
      await client.subscribe(SWITCH)
      // The switch may have been before the subscription.
      const named = await primaryNamed(client, primary)
      if (named) this.#onPrimary(named)
      this.#retryMs = FIRST_RETRY_MS
    } catch (error) {
      release(client)
      throw error
    } finally {
      clearTimeout(bound)
      if (this.#closed) release(client)
    }
  }

  #later(): void {
    this.#client = undefined
    if (this.#closed || this.#retry) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.start()
    }, this.#retryMs).unref()
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
  }
}
