/** The connection of BullMQ to the servers of a space: BullMQ has clients of its own, which reconnect by themselves. */
import type { Access } from '../../../engine/access.js'
import { type Address, addressOf, type Seeds, sentinelLoginOf } from './address.js'
import { bareTerms, clientTerms, newCluster } from './client.js'

export interface BullmqConnection {
  /** The `connection` in the options of BullMQ. */
  readonly connection: object
  /** The beginning of the keys of its queues. On a Cluster they are in one slot. */
  readonly prefix: string
  /** Ends what BullMQ does not end. */
  end(): void
}

const PREFIX = 'bull'
// A user needs no right to CLIENT.
const SETTINGS = { maxRetriesPerRequest: null, disableClientInfo: true }
/** A connection that is left at a former primary is replaced. */
const reconnectOnError = ({ message }: Error): boolean => message.startsWith('READONLY')

/** Returns the beginning of the keys of BullMQ's queues at an address. */
export const bullmqPrefix = (url: string, access?: Access): string =>
  addressOf(url, access).seeds?.of === 'cluster' ? `{${PREFIX}}` : PREFIX

/** @throws SpaceError URL_UNKNOWN, INVALID_ARGUMENT */
export async function bullmqConnection(url: string, access?: Access): Promise<BullmqConnection> {
  const address = addressOf(url, access)
  const { seeds } = address
  const terms = await clientTerms(address, address.at)
  if (!seeds) return { connection: { ...terms, ...SETTINGS }, prefix: PREFIX, end() {} }
  if (seeds.of === 'sentinel') return { connection: await behindSentinels(address, seeds), prefix: PREFIX, end() {} }
  const cluster = newCluster(seeds.hosts, { ...terms, ...SETTINGS })
  return { connection: cluster, prefix: `{${PREFIX}}`, end: () => cluster.disconnect() }
}

async function behindSentinels(address: Address, seeds: Seeds): Promise<object> {
  const { hosts, primary } = seeds
  const login = await sentinelLoginOf(seeds)
  const { host, port, ...terms } = await clientTerms(address, address.at)
  const { tls } = await bareTerms(address, address.at, login)
  return {
    ...terms,
    ...SETTINGS,
    sentinels: hosts,
    name: primary,
    sentinelUsername: login.username,
    sentinelPassword: login.password,
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    reconnectOnError,
  }
}
