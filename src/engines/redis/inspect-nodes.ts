/** Inspects the servers beside that of a space for `takespace doctor`: its replicas, and the nodes of its Cluster. */
import type { Address, HostAndPort } from './wire/address.js'
import { clientTerms, withClient } from './wire/client.js'
import type { Commands } from './wire/commands.js'
import { fieldsOf, isCluster } from './wire/server.js'

/** A server, as it and its primary tell. */
export interface NodeView {
  /** Host and port. */
  readonly shown: string
  /** Null if the server cannot be reached from here, or tells this user nothing. */
  readonly settings: NodeSettings | null
}

export interface NodeSettings {
  readonly isPrimary: boolean
  readonly aof: boolean
  /** The replicas that follow it. */
  readonly replicas: readonly ReplicaView[]
  /** Null if this user may not read the setting. */
  readonly minReplicas: number | null
  /** Bytes that a replica may miss and still catch up without a copy of all data. */
  readonly backlogBytes: number
  /** True if a Cluster refuses all keys while some slots have no primary; null outside a Cluster, or if unknown. */
  readonly needsAllSlots: boolean | null
}

export interface ReplicaView {
  readonly shown: string
  readonly isOnline: boolean
  /** Since the replica has confirmed anything; it does so every second. */
  readonly lagSeconds: number
  readonly bytesBehind: number
}

/** The slots of a Cluster: how many are served, of 16,384. Null if this user may not ask. */
export interface ClusterView {
  readonly slotsServed: number | null
  readonly state: string
}

export interface Surroundings {
  /** The server of the space first, then its replicas; of a Cluster all nodes. */
  readonly nodes: readonly NodeView[]
  /** Null outside a Cluster. */
  readonly cluster: ClusterView | null
}

const UNKNOWN: ClusterView = { slotsServed: null, state: 'unknown' }

/** All are asked at once, so this much longer may the whole take. */
export const NODE_TIMEOUT_MS = 2_000

/** @param address that by which `redis` was found; the others get the same login */
export async function inspectNodes(
  redis: Commands,
  info: ReadonlyMap<string, string>,
  address: Address,
): Promise<Surroundings> {
  const here: NodeView = { shown: 'this server', settings: await settingsOf(redis, info) }
  const known = (here.settings?.replicas ?? []).map(({ shown }) => shown)
  const cluster = isCluster(info) ? ((await clusterOf(redis)) ?? { view: UNKNOWN, others: known }) : null
  const others = cluster?.others ?? known
  const look = async (shown: string): Promise<NodeView> => {
    try {
      const terms = await clientTerms(address, placeOf(shown))
      const read = async (node: Commands) => settingsOf(node, fieldsOf(await node.info()))
      return { shown, settings: await withClient(terms, NODE_TIMEOUT_MS, read) }
    } catch {
      return { shown, settings: null }
    }
  }
  return { nodes: [here, ...(await Promise.all(others.map(look)))], cluster: cluster?.view ?? null }
}

/** @param shown `host:port`, as servers name each other: without brackets around an IPv6 address */
export function placeOf(shown: string): HostAndPort {
  const at = shown.lastIndexOf(':')
  return { host: shown.slice(0, at), port: Number(shown.slice(at + 1)) }
}

async function settingsOf(redis: Commands, info: ReadonlyMap<string, string>): Promise<NodeSettings> {
  const setting = async (name: string): Promise<string | undefined> =>
    ((await redis.call('CONFIG', 'GET', name).catch(() => [])) as string[])[1]
  const minReplicas = await setting('min-replicas-to-write')
  const needsAllSlots = isCluster(info) ? await setting('cluster-require-full-coverage') : undefined
  return {
    isPrimary: info.get('role') !== 'slave',
    aof: info.get('aof_enabled') === '1',
    replicas: replicasIn(info),
    // Without a limit the field is absent, also where CONFIG is forbidden.
    minReplicas: minReplicas === undefined ? (info.has('min_slaves_good_slaves') ? null : 0) : Number(minReplicas),
    backlogBytes: Number(info.get('repl_backlog_size') ?? 0),
    needsAllSlots: needsAllSlots === undefined ? null : needsAllSlots === 'yes',
  }
}

/** `slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0` */
function replicasIn(info: ReadonlyMap<string, string>): ReplicaView[] {
  const written = Number(info.get('master_repl_offset') ?? 0)
  return [...info]
    .filter(([name]) => /^slave\d+$/.test(name))
    .map(([, text]) => {
      const fields = new Map(text.split(',').map((field) => field.split('=') as [string, string]))
      return {
        shown: `${fields.get('ip')}:${fields.get('port')}`,
        isOnline: fields.get('state') === 'online',
        lagSeconds: Number(fields.get('lag') ?? 0),
        bytesBehind: Math.max(0, written - Number(fields.get('offset') ?? 0)),
      }
    })
}

/** Null if this user may not ask. */
async function clusterOf(redis: Commands): Promise<{ view: ClusterView; others: string[] } | null> {
  try {
    const state = fieldsOf((await redis.call('CLUSTER', 'INFO')) as string)
    const nodes = ((await redis.call('CLUSTER', 'NODES')) as string).split('\n').filter((line) => line !== '')
    const others = nodes
      .map((line) => line.split(' ', 3) as [string, string, string])
      .filter(([, , flags]) => !/myself|handshake|noaddr/.test(flags))
      // `10.0.0.2:6379@16379,host`
      .map(([, address]) => address.replace(/@.*/, ''))
    return {
      view: { slotsServed: Number(state.get('cluster_slots_ok')), state: state.get('cluster_state') ?? 'unknown' },
      others,
    }
  } catch {
    return null
  }
}
