/** The primary: the server that holds the keys of a partition now, as the Sentinels or the nodes of a Cluster tell. */
import { slotOf } from '../slot.js'
import { type Address, type HostAndPort, type Place, type Seeds, sentinelLoginOf, shownPlace } from './address.js'
import { bareTerms, clientTerms, withClient } from './client.js'
import type { Commands } from './commands.js'
import { PrimaryUnknown } from './refusal.js'

/** A server that is asked and does not answer for this long is passed over. */
const ASK_MS = 2_000
/** So many are asked at once, and the first answer counts: one that is frozen holds up nobody. */
const ASKED_AT_ONCE = 3
/** Nodes that are remembered beside the seeds. */
const MOST_KNOWN = 64

export class Primary {
  readonly #address: Address
  readonly #slot: number
  /** Those that are asked, the last that has answered first. */
  #known: HostAndPort[]

  /** `key`: a key of the partition. */
  constructor(address: Address, key: string) {
    this.#address = address
    this.#slot = slotOf(key)
    this.#known = [...(address.seeds?.hosts ?? [])]
  }

  /**
   * Returns the place of the primary.
   * @throws PrimaryUnknown if none of the servers that were asked knows; their error if none answers
   */
  async find(timeoutMs: number): Promise<Place> {
    const { seeds, at } = this.#address
    if (!seeds) return at
    const within = Math.min(timeoutMs, ASK_MS)
    const failures: unknown[] = []
    const hosts = [...this.#known]
    while (hosts.length > 0) {
      const asked = hosts
        .splice(0, ASKED_AT_ONCE)
        .map(async (host) => ({ host, place: await this.#ask(host, seeds, within) }))
      try {
        const { host, place } = await Promise.any(asked)
        this.#ranFirst(host)
        return place
      } catch (error) {
        failures.push(...(error as AggregateError).errors)
      }
    }
    throw failures.find((error) => error instanceof PrimaryUnknown) ?? failures[0]
  }

  #ask(host: HostAndPort, seeds: Seeds, timeoutMs: number): Promise<Place> {
    return seeds.of === 'sentinel' ? this.#askSentinel(host, seeds, timeoutMs) : this.#askNode(host, timeoutMs)
  }

  /** Returns the places of all primaries. */
  async all(timeoutMs: number): Promise<Place[]> {
    // The first that answers is asked again for all.
    const place = await this.find(timeoutMs)
    if (this.#address.seeds?.of !== 'cluster') return [place]
    const owners = await this.#ownersBy(this.#known[0]!, timeoutMs)
    return distinct(owners)
  }

  #ranFirst(host: HostAndPort): void {
    this.#known = [host, ...this.#known.filter((each) => each !== host)]
  }

  async #askSentinel(host: HostAndPort, seeds: Seeds, timeoutMs: number): Promise<Place> {
    const { primary } = seeds
    const terms = await bareTerms(this.#address, host, await sentinelLoginOf(seeds))
    const found = await withClient(terms, timeoutMs, (client) => primaryNamed(client, primary))
    if (!found) throw new PrimaryUnknown(`The Sentinel at ${shownPlace(host)} knows no primary named ${primary}.`)
    return found
  }

  /** Remembers the other nodes, too: the seeds may leave the Cluster. */
  async #askNode(host: HostAndPort, timeoutMs: number): Promise<Place> {
    const owners = await this.#ownersBy(host, timeoutMs)
    const owner = owners.find(({ from, to }) => from <= this.#slot && this.#slot <= to)
    if (!owner) throw new PrimaryUnknown(`No node of the Cluster at ${shownPlace(host)} has slot ${this.#slot}.`)
    return { host: owner.host, port: owner.port }
  }

  async #ownersBy(host: HostAndPort, timeoutMs: number): Promise<Owner[]> {
    const terms = await clientTerms(this.#address, host)
    const owners = await withClient(terms, timeoutMs, (client) => ownersIn(client, host.host))
    this.#learn(owners)
    return owners
  }

  #learn(nodes: readonly HostAndPort[]): void {
    for (const { host, port } of nodes) {
      if (this.#known.length >= MOST_KNOWN) return
      if (!this.#known.some((each) => each.host === host && each.port === port)) this.#known.push({ host, port })
    }
  }
}

/** Returns the place of the primary that a Sentinel knows by a name; null if it knows none. */
export async function primaryNamed(sentinel: Commands, name: string): Promise<HostAndPort | null> {
  const found = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as [string, string] | null
  return found && { host: found[0], port: Number(found[1]) }
}

/** Returns a reply of names and values: a map of RESP3, or the list of RESP2. */
export function fieldsIn(reply: unknown): ReadonlyMap<string, string> {
  if (reply instanceof Map) return new Map([...reply].map(([name, value]) => [String(name), String(value)]))
  if (!Array.isArray(reply))
    return new Map(Object.entries(reply as object).map(([name, value]) => [name, String(value)]))
  return new Map(Array.from({ length: reply.length / 2 }, (_, i) => [String(reply[2 * i]), String(reply[2 * i + 1])]))
}

/** Returns how many primaries a Cluster has. */
export const primariesIn = async (node: Commands): Promise<number> => distinct(await ownersIn(node, '')).length

/** Returns who has which slots, as a node tells. `asked`: the host of the node, which may not know its own. */
async function ownersIn(node: Commands, asked: string): Promise<Owner[]> {
  const ranges = (await node.call('CLUSTER', 'SLOTS')) as Range[]
  return ranges.map(([from, to, [host, port]]) => ({ from, to, host: host || asked, port }))
}

const distinct = (owners: readonly Owner[]): Owner[] =>
  Array.from(new Map(owners.map((owner) => [`${owner.host}:${owner.port}`, owner])).values())

/** Who has the slots from one to another. */
interface Owner extends HostAndPort {
  readonly from: number
  readonly to: number
}

/** First and last slot, then the node that has them, then its replicas. */
type Range = readonly [number, number, readonly [string | null, number], ...unknown[]]
