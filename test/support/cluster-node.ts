/** One node of a Redis Cluster as a real process, and the steps by which slots and nodes are moved. */
import { hasMet, type KnownNode, viewOf } from './cluster-view.js'
import { freePort } from './port.js'
import { type Redis, type RedisOptions, startRedis } from './redis.js'
import { command, type Dialled } from './resp.js'
import { until } from './until.js'

export interface ClusterNode extends Redis {
  /** By which the other nodes know it. */
  readonly id: string
  /** For what the nodes tell each other. */
  readonly busPort: number
  /** The Cluster as this node sees it. */
  view(): Promise<KnownNode[]>
  meet(other: ClusterNode): Promise<void>
  /** Becomes a replica of this one, as soon as it knows it. */
  follow(primary: ClusterNode): Promise<void>
}

/** Such a node is not among those that live. */
const FROZEN_AFTER_MS = 1_000

/** @param epoch another for each node of a new Cluster; 0 for one that is added: it gets its own */
export async function startNode(options: RedisOptions, nodeTimeoutMs: number, epoch: number): Promise<ClusterNode> {
  // The usual one, 10,000 higher, may be above the ports that systems give to outgoing connections.
  const busPort = await freePort()
  const redis = await startRedis({
    ...options,
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
      ...['--cluster-node-timeout', String(nodeTimeoutMs)],
      // The slots of others are served while some are not.
      ...['--cluster-require-full-coverage', 'no'],
      // A primary without slots stays one.
      ...['--cluster-allow-replica-migration', 'no'],
      ...['--repl-diskless-sync-delay', '0'],
      ...(options.args ?? []),
    ],
  })
  if (epoch > 0) await redis.cli('CLUSTER', 'SET-CONFIG-EPOCH', String(epoch))
  const view = async (): Promise<KnownNode[]> =>
    viewOf(await command(redis.port, ['CLUSTER', 'NODES'], FROZEN_AFTER_MS))
  return Object.assign(redis, {
    id: await redis.cli('CLUSTER', 'MYID'),
    busPort,
    view,
    async meet(other: ClusterNode) {
      await redis.cli('CLUSTER', 'MEET', '127.0.0.1', String(other.port), String(other.busPort))
    },
    async follow(primary: ClusterNode) {
      const isKnown = async () => (await view()).some((node) => node.id === primary.id && hasMet(node))
      await until(isKnown, 'the replica knows its primary')
      await redis.cli('CLUSTER', 'REPLICATE', primary.id)
    },
  })
}

/** So many keys travel in one MIGRATE, during which both nodes answer nobody. */
const KEYS_AT_ONCE = '10'
const MIGRATE_TIMEOUT_MS = '10000'

export interface End {
  readonly node: ClusterNode
  readonly dialled: Dialled
}

/** As `redis-cli --cluster reshard` does. @param others the other primaries, who are told at the end */
export async function moveSlot(slot: number, from: End, to: End, others: readonly Dialled[]): Promise<void> {
  const setSlot = (end: Dialled, ...how: string[]): Promise<string> =>
    end.ask('CLUSTER', 'SETSLOT', String(slot), ...how)
  await setSlot(to.dialled, 'IMPORTING', from.node.id)
  await setSlot(from.dialled, 'MIGRATING', to.node.id)
  const target = ['127.0.0.1', String(to.node.port), '', '0', MIGRATE_TIMEOUT_MS]
  for (;;) {
    const keys = await from.dialled.ask('CLUSTER', 'GETKEYSINSLOT', String(slot), KEYS_AT_ONCE)
    if (keys === '') break
    await from.dialled.ask('MIGRATE', ...target, 'KEYS', ...keys.split('\n'))
  }
  // The target first: until it has the slot, each of the two sends clients to the other.
  for (const end of [to.dialled, from.dialled, ...others]) await setSlot(end, 'NODE', to.node.id)
}
