/**
 * The watch on a Sentinel: it tells when a failover begins, and at once when another server becomes the primary. The old
 * one may go on for seconds without knowing, and its connections with it.
 */
import { type Address, type HostAndPort, type Seeds, sentinelLoginOf } from './address.js'
import { ATTEMPT_MS, bareTerms, newClient, type RedisClient, release } from './client.js'
import { fieldsIn, primaryNamed } from './primary.js'

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 2_000
/** By the Sentinel that leads a failover. Between the first of these and the promotion are two of its turns, 100 ms or more. */
const BEGUN = [
  '+failover-state-select-slave',
  '+selected-slave',
  '+failover-state-send-slaveof-noone',
  '+failover-state-wait-promotion',
]
const ABORTED = ['-failover-abort-no-good-slave', '-failover-abort-slave-timeout']
const SWITCHED = '+switch-master'

export interface SentinelNews {
  /** A failover away from this primary is under way, or has just succeeded. Told several times. */
  replacing(primary: HostAndPort): void
  /** The failover has failed: this one stays the primary. */
  keeping(primary: HostAndPort): void
  /** This one has just become the primary. Each Sentinel tells. */
  promoted(primary: HostAndPort): void
  /** A Sentinel was asked, and names this primary. A lower epoch than another one's: it has not heard of a failover. */
  named(primary: HostAndPort, epoch: number): void
}

export class SentinelWatch {
  readonly #address: Address
  readonly #seeds: Seeds
  readonly #host: HostAndPort
  readonly #news: SentinelNews
  #client: RedisClient | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(address: Address, seeds: Seeds, host: HostAndPort, news: SentinelNews) {
    this.#address = address
    this.#seeds = seeds
    this.#host = host
    this.#news = news
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
    const login = await sentinelLoginOf(this.#seeds)
    const client = newClient(await bareTerms(this.#address, this.#host, login), { connectTimeout: ATTEMPT_MS })
    this.#client = client
    // Every error also ends the connection.
    client.on('error', () => {})
    client.on('end', () => this.#later())
    client.on('message', (channel: string, message: string) => this.#heard(client, channel, message))
    const bound = setTimeout(() => release(client), ATTEMPT_MS)
    try {
      await client.connect()
      await client.subscribe(SWITCHED, ...BEGUN, ...ABORTED)
      await this.#catchUp(client)
      this.#retryMs = FIRST_RETRY_MS
    } catch (error) {
      release(client)
      throw error
    } finally {
      clearTimeout(bound)
      if (this.#closed) release(client)
    }
  }

  /** Asks for what may have been before the subscription, and for the epoch of a switch. */
  async #catchUp(client: RedisClient): Promise<void> {
    const { primary } = this.#seeds
    const named = await primaryNamed(client, primary)
    if (!named) return
    // A user of the Sentinels may lack this right.
    const known = fieldsIn(await client.call('SENTINEL', 'MASTER', primary).catch(() => []))
    // In a failover these are still the host and port of the one that is replaced.
    if (known.get('flags')?.includes('failover_in_progress'))
      this.#news.replacing({ host: known.get('ip') ?? '', port: Number(known.get('port')) })
    this.#news.named(named, Number(known.get('config-epoch')))
  }

  /**
   * `NAME old-host old-port new-host new-port` of a switch; of the others, `master NAME host port` or
   * `slave … @ NAME host port`.
   */
  #heard(client: RedisClient, channel: string, message: string): void {
    const words = message.split(' ')
    const isSwitch = channel === SWITCHED
    const [name, host = '', port] = isSwitch ? words : words.slice(-3)
    if (name !== this.#seeds.primary) return
    const primary = { host, port: Number(port) }
    if (ABORTED.includes(channel)) return this.#news.keeping(primary)
    this.#news.replacing(primary)
    if (!isSwitch) return
    this.#news.promoted({ host: words[3] ?? '', port: Number(words[4]) })
    this.#catchUp(client).catch(() => {})
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
