/** Inspects the Sentinels of a primary for `takespace doctor`. Changes nothing. */
import { NODE_TIMEOUT_MS, placeOf } from './inspect-nodes.js'
import { type Address, type HostAndPort, sentinelLoginOf, shownPlace } from './wire/address.js'
import { bareTerms, withClient } from './wire/client.js'
import type { Commands } from './wire/commands.js'
import { fieldsIn } from './wire/primary.js'

export interface SentinelView {
  /** How many Sentinels watch the primary, those that do not answer included. */
  readonly known: number
  readonly answering: number
  /** How many the address names. */
  readonly named: number
  /** How many must agree that the primary is down. */
  readonly quorum: number
  readonly downAfterMs: number
  /** Why a Sentinel could not order a failover now; null if it could. */
  readonly refusal: string | null
}

/** Returns null if the address names no Sentinels, or none of them answers. */
export async function inspectSentinels(address: Address): Promise<SentinelView | null> {
  const { seeds } = address
  if (seeds?.of !== 'sentinel') return null
  const login = await sentinelLoginOf(seeds)
  const views = new Map<string, Told | null>()
  const look = async (place: HostAndPort): Promise<void> => {
    const terms = await bareTerms(address, place, login)
    const asked = withClient(terms, NODE_TIMEOUT_MS, (sentinel) => askSentinel(sentinel, seeds.primary))
    views.set(shownPlace(place), await asked.catch(() => null))
  }
  await Promise.all(seeds.hosts.map(look))
  // By their own names, which may not be those that were given.
  const seen = new Set([...views.values()].map((told) => told?.id))
  const others = new Map([...views.values()].flatMap((told) => told?.others ?? []))
  await Promise.all([...others].filter(([id]) => !seen.has(id)).map(([, shown]) => look(placeOf(shown))))
  const told = [...views.values()].filter((each) => each !== null)
  const [first] = told
  if (!first) return null
  const answering = new Set(told.map(({ id }) => id)).size
  return {
    known: Math.max(...told.map((each) => each.others.length + 1)),
    answering,
    named: seeds.hosts.length,
    quorum: first.quorum,
    downAfterMs: first.downAfterMs,
    refusal: told.find(({ refusal }) => refusal !== null)?.refusal ?? null,
  }
}

interface Told {
  readonly id: string
  readonly quorum: number
  readonly downAfterMs: number
  readonly refusal: string | null
  /** The id of each other Sentinel, and its address. */
  readonly others: readonly (readonly [string, string])[]
}

async function askSentinel(sentinel: Commands, name: string): Promise<Told> {
  const master = fieldsIn(await sentinel.call('SENTINEL', 'MASTER', name))
  const others = ((await sentinel.call('SENTINEL', 'SENTINELS', name)) as unknown[]).map(fieldsIn)
  const refusal = await sentinel.call('SENTINEL', 'CKQUORUM', name).then(
    () => null,
    ({ message }: Error) => message,
  )
  return {
    id: String(await sentinel.call('SENTINEL', 'MYID')),
    quorum: Number(master.get('quorum')),
    downAfterMs: Number(master.get('down-after-milliseconds')),
    refusal,
    others: others.map((other) => [other.get('runid') ?? '', `${other.get('ip')}:${other.get('port')}`] as const),
  }
}
