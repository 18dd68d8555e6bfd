/**
 * Failover: whether the Sentinels replace the primary in use. Until it hears of that, a second after the promotion, it
 * goes on with replicas that have not heard of it either. What these confirm is lost.
 */
import { type Address, type HostAndPort, type Place, shownPlace } from './address.js'
import { SentinelWatch } from './sentinel-watch.js'

/** A primary that has not been replaced after this time, since the Sentinels last told that it is to be, stays. */
const LONGEST_MS = 10_000

export interface FailoverListener {
  /** Whether the primary in use is being replaced has changed. */
  onFailover(isUnderWay: boolean): void
  /** Another server is the primary. `by` is undefined if the Sentinels must be asked which. */
  onReplaced(by: HostAndPort | undefined): void
}

export class Failover {
  readonly #listener: FailoverListener
  /** Only the Sentinel that leads a failover tells of it before its end. None for another address than that of Sentinels. */
  readonly #watches: readonly SentinelWatch[]
  /** Primaries that are or were replaced within LONGEST_MS, as `host:port`. */
  readonly #replaced = new Map<string, NodeJS.Timeout>()
  #used: string
  #isUnderWay = false
  /** The highest epoch in which a Sentinel has named a primary; half a one more after a promotion, whose epoch is not told. */
  #epoch = 0

  constructor(address: Address, listener: FailoverListener) {
    this.#listener = listener
    this.#used = shownPlace(address.at)
    const { seeds } = address
    const news = {
      replacing: (primary: HostAndPort) => this.#replacing(shownPlace(primary)),
      keeping: (primary: HostAndPort) => this.#keep(shownPlace(primary)),
      promoted: (primary: HostAndPort) => this.#promoted(primary),
      named: (primary: HostAndPort, epoch: number) => this.#named(primary, epoch),
    }
    const hosts = seeds?.of === 'sentinel' ? seeds.hosts : []
    this.#watches = hosts.map((host) => new SentinelWatch(address, seeds!, host, news))
  }

  /** Begins to watch, if it has not. */
  start(): void {
    for (const watch of this.#watches) watch.start()
  }

  /** This primary is used from now on. */
  use(primary: Place): void {
    this.#used = shownPlace(primary)
    this.#tell()
  }

  close(): void {
    for (const watch of this.#watches) watch.close()
    for (const bound of this.#replaced.values()) clearTimeout(bound)
  }

  #replacing(primary: string): void {
    clearTimeout(this.#replaced.get(primary))
    this.#replaced.set(primary, setTimeout(() => this.#keep(primary), LONGEST_MS).unref())
    this.#tell()
  }

  #keep(primary: string): void {
    clearTimeout(this.#replaced.get(primary))
    this.#replaced.delete(primary)
    this.#tell()
  }

  #promoted(primary: HostAndPort): void {
    this.#keep(shownPlace(primary))
    if (shownPlace(primary) === this.#used) return
    this.#epoch = Math.floor(this.#epoch) + 0.5
    this.#listener.onReplaced(primary)
  }

  #named(primary: HostAndPort, epoch: number): void {
    if (epoch < this.#epoch) return
    if (epoch > this.#epoch) this.#epoch = epoch
    if (shownPlace(primary) !== this.#used) this.#listener.onReplaced(undefined)
  }

  #tell(): void {
    const isUnderWay = this.#replaced.has(this.#used)
    if (isUnderWay === this.#isUnderWay) return
    this.#isUnderWay = isUnderWay
    this.#listener.onFailover(isUnderWay)
  }
}
